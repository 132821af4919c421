//! A value that is lent to another owner for a while.

use std::ops::{Deref, DerefMut};

/// A value that is there, except while it is lent.
#[derive(Debug)]
pub struct Lent<T>(Option<T>);

impl<T> Lent<T> {
    /// This value.
    pub fn new(value: T) -> Lent<T> {
        Lent(Some(value))
    }

    /// Gives the value to `borrow`, which gives it back with a result. If `borrow` panics, the value is gone.
    pub fn lend<R>(&mut self, borrow: impl FnOnce(T) -> (T, R)) -> R {
        let (value, result) = borrow(self.0.take().expect(IS_THERE));
        self.0 = Some(value);
        result
    }
}

const IS_THERE: &str = "who lends a value waits until it is back";

impl<T> Deref for Lent<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect(IS_THERE)
    }
}

impl<T> DerefMut for Lent<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(IS_THERE)
    }
}
