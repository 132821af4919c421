//! Dumps, as the tests look at them.

use my_redis_server::rdb::{Item, KeyRecord, Reader};
use std::collections::BTreeMap;

/// The keys of a dump, which must be whole and have none twice.
pub fn keys_of(dump: &[u8]) -> BTreeMap<Vec<u8>, KeyRecord> {
    let mut reader = Reader::new(dump).expect("a dump");
    let mut keys = BTreeMap::new();
    while let Some(item) = reader.next().expect("a whole dump") {
        if let Item::Key(record) = item {
            assert!(
                keys.insert(record.key.clone(), record).is_none(),
                "a key comes twice"
            );
        }
    }
    keys
}
