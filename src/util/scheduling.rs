//! How the system shares out the processors among threads, as far as a thread may wish something of it.

#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// What a thread wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Not to take the processor from the running thread when something wakes this one (`SCHED_BATCH`). The thread's
    /// niceness stays.
    Batch,
    /// To run only while a processor has nothing else to do (`SCHED_IDLE`), however nice the thread is.
    Idle,
}

impl Scheduling {
    /// Asks for it, for the thread that calls. A system that does not grant it, and any but Linux, leaves the thread as
    /// it is.
    pub fn wish(self) {
        #[cfg(target_os = "linux")]
        self.wish_on_linux();
    }

    #[cfg(target_os = "linux")]
    fn wish_on_linux(self) {
        let policy = ThreadSchedulePolicy::Normal(match self {
            Scheduling::Batch => NormalThreadSchedulePolicy::Batch,
            Scheduling::Idle => NormalThreadSchedulePolicy::Idle,
        });
        let priority = match self {
            Scheduling::Batch => own_priority(policy),
            Scheduling::Idle => Some(ThreadPriority::Min),
        };
        if let Some(priority) = priority {
            let _ = set_thread_priority_and_policy(thread_native_id(), priority, policy);
        }
    }
}

/// The niceness that the thread has. The crate sets a niceness with each policy, on a scale of its own; the value that
/// stands for the present one changes nothing.
#[cfg(target_os = "linux")]
fn own_priority(policy: ThreadSchedulePolicy) -> Option<ThreadPriority> {
    let niceness = rustix::process::getpriority_process(None).ok()?;
    let values = (0..=u8::MAX).map_while(|value| ThreadPriorityValue::try_from(value).ok());
    values.map(ThreadPriority::Crossplatform).find(|priority| {
        let posix = priority.to_posix(policy);
        posix.is_ok_and(|posix| posix == niceness)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::process::{getpriority_process, setpriority_process};

    /// Fields 19 and 41 of `/proc/thread-self/stat`: niceness and policy; see `man 5 proc`.
    fn niceness_and_policy() -> (i32, u32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("it is Linux");
        let (_, behind_name) = stat.rsplit_once(')').expect("the name is in brackets");
        let fields: Vec<&str> = behind_name.split_whitespace().collect();
        let [niceness, policy] = [19, 41].map(|number| fields[number - 3]);
        (niceness.parse().unwrap(), policy.parse().unwrap())
    }

    #[test]
    fn a_wish_changes_the_policy_and_batch_keeps_the_niceness() {
        const BATCH: u32 = 3;
        const IDLE: u32 = 5;
        // A thread of its own for each: niceness and policy belong to a thread, and niceness may only rise.
        let own = getpriority_process(None).expect("it is known");
        for niceness in own..=19 {
            let thread = std::thread::spawn(move || {
                setpriority_process(None, niceness).expect("it may rise");
                Scheduling::Batch.wish();
                assert_eq!(niceness_and_policy(), (niceness, BATCH));
                Scheduling::Idle.wish();
                assert_eq!(niceness_and_policy().1, IDLE);
            });
            thread.join().expect("the system grants it");
        }
    }
}
