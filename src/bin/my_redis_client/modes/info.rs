//! Numbers in the text of INFO.

/// The number behind `name:`. As in redis-cli, the name may be the end of a longer one.
pub fn number(info: &str, name: &str) -> i64 {
    let found = info.split_once(&format!("{name}:")).map(|(_, rest)| rest);
    let digits = found.and_then(|rest| rest.lines().next());
    digits
        .and_then(|digits| digits.trim().parse().ok())
        .unwrap_or(0)
}

/// The number of keys in all databases: `db0:keys=5,expires=0,avg_ttl=0`.
pub fn keys(info: &str) -> i64 {
    let databases = info.lines().filter_map(|line| {
        let (name, fields) = line.strip_prefix("db")?.split_once(":keys=")?;
        let is_database = name.bytes().all(|byte| byte.is_ascii_digit());
        let keys: i64 = fields.split(',').next()?.parse().ok()?;
        is_database.then_some(keys)
    });
    // The text may be that of a server which tells nonsense.
    databases.fold(0, i64::saturating_add)
}

/// A number of bytes in the unit that fits: `1.50K`.
pub fn human_bytes(bytes: u64) -> String {
    let units = [(1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Memory\r\nused_memory:1048576\r\nrdb_bgsave_in_progress:1\r\n\
                        # Keyspace\r\ndb0:keys=5,expires=0,avg_ttl=0\r\ndb12:keys=2,expires=1\r\n";

    #[test]
    fn numbers_are_found() {
        assert_eq!(number(INFO, "used_memory"), 1_048_576);
        assert_eq!(number(INFO, "bgsave_in_progress"), 1);
        assert_eq!(number(INFO, "nosuch"), 0);
        assert_eq!(keys(INFO), 7);
        let nonsense = format!("db0:keys={max}\r\ndb1:keys={max}\r\n", max = i64::MAX);
        assert_eq!(keys(&nonsense), i64::MAX);
    }

    #[test]
    fn bytes_are_told_in_fitting_units() {
        assert_eq!(human_bytes(1023), "1023B");
        assert_eq!(human_bytes(1536), "1.50K");
        assert_eq!(human_bytes(1 << 20), "1.00M");
        assert_eq!(human_bytes(5 << 30), "5.00G");
    }
}
