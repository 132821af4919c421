//! Every file in `tests/fixtures/rdb` is read, and compared with what real servers and tools say of it.
//!
//! `expected.json` holds their words: Redis 7.0.15, Redis 7.2.6 and Valkey 8 loaded each file and told of each key its
//! type, length, expiry and digest (DEBUG DIGEST-VALUE, a SHA-1 over all of a value). So every element of every
//! collection is checked, without being listed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use my_redis_server::rdb::{Item, KeyRecord, RdbError, Reader, Value};
use serde_json::Value as Json;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb")
}

/// All that a file holds.
#[derive(Default)]
struct Contents {
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    functions: Vec<Vec<u8>>,
    module_aux: Vec<String>,
    keys: Vec<(u64, KeyRecord)>,
    /// How often each opcode that is not one of a key was met.
    selects: u64,
    resizes: u64,
    version: u32,
    end: u64,
}

fn read(file: &[u8]) -> Result<Contents, RdbError> {
    let mut reader = Reader::new(file)?;
    let mut contents = Contents {
        version: reader.version(),
        ..Contents::default()
    };
    let mut db = 0;
    while let Some(item) = reader.next()? {
        match item {
            Item::Aux { key, value } => contents.aux.push((key, value)),
            Item::SelectDb(index) => {
                contents.selects += 1;
                db = index;
            }
            Item::ResizeDb { .. } => contents.resizes += 1,
            Item::Function(code) => contents.functions.push(code),
            Item::ModuleAux { name } => contents.module_aux.push(name),
            Item::Key(record) => contents.keys.push((db, record)),
        }
    }
    contents.end = reader.offset();
    Ok(contents)
}

/// The bytes of a text in expected.json, where each byte is written as one character.
fn bytes(text: &Json) -> Vec<u8> {
    let text = text.as_str().expect("a text");
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).expect("latin-1"))
        .collect()
}

#[test]
fn every_file_holds_what_redis_says() {
    let expected = fs::read_to_string(fixtures().join("expected.json")).expect("expected.json");
    let expected: Json = serde_json::from_str(&expected).expect("JSON");
    let files = expected["fixtures"]
        .as_object()
        .expect("an object of files");
    assert_eq!(files.len(), 165);
    for (name, expected) in files {
        let file =
            fs::read(fixtures().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        match (read(&file), refusal(name, expected)) {
            (Ok(contents), None) => check_contents(name, file.len() as u64, &contents, expected),
            (Err(error), Some(text)) => {
                let error = error.to_string();
                assert!(
                    error.contains(text),
                    "{name}: {error:?} does not say {text:?}"
                );
            }
            (Ok(_), Some(text)) => panic!("{name}: was read, but Redis says {text:?}"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}

/// Why Redis 7.2 refuses the bytes of a file, in words that our error has to contain.
///
/// A file can also be refused for what it holds, which is for the loader to decide: keys that are there twice, values
/// of modules. The reader reads those.
fn refusal(name: &str, expected: &Json) -> Option<&'static str> {
    // The server of Redis 7.2 refuses it only with `sanitize-dump-payload yes`; redis-check-rdb always does.
    if name == "edge/x_dup_hashfield.rdb" {
        return Some("Duplicate hash fields detected");
    }
    const TEXTS: [&str; 11] = [
        "Can't handle RDB format version 0",
        "Can't handle RDB format version 12",
        "Can't handle RDB format version 13",
        "Can't handle RDB format version 80",
        "Wrong RDB checksum expected: (eb38c260252c2fee) but got (ea38c260252c2fee)",
        "Pre-release function format not supported",
        "Unexpected EOF reading RDB file",
        "Unknown RDB encoding type 8",
        "Zset with NAN score detected",
        "ziplist integrity check failed",
        "",
    ];
    const OF_THE_LOADER: [&str; 3] = [
        "module data I can't load",
        "AUX module data",
        "--check-system",
    ];
    let verdict = expected["load72"].as_str()?.strip_prefix("FAIL: ")?;
    if OF_THE_LOADER.iter().any(|text| verdict.contains(text)) {
        return None;
    }
    // Redis' own texts are longer; the first of ours that it contains is meant.
    TEXTS.into_iter().find(|text| verdict.contains(text))
}

fn check_contents(name: &str, size: u64, contents: &Contents, expected: &Json) {
    assert_eq!(
        u64::from(contents.version),
        expected["rdb_version"],
        "{name}: version"
    );
    assert_eq!(
        size - contents.end,
        expected["trailing_bytes"],
        "{name}: bytes after the end"
    );

    let aux = expected["aux"].as_array().expect("an array");
    assert_eq!(contents.aux.len(), aux.len(), "{name}: number of AUX");
    for ((key, value), expected) in contents.aux.iter().zip(aux) {
        assert_eq!(*key, bytes(&expected[0]), "{name}: AUX");
        // Of a long one, expected.json says only the length.
        let is_equal =
            *value == bytes(&expected[1]) || expected[1] == format!("<{} bytes>", value.len());
        assert!(is_equal, "{name}: AUX {}", expected[0]);
    }

    let count = |opcode: &str| expected["opcodes"][opcode].as_u64().unwrap_or(0);
    let keys_with = |has: fn(&KeyRecord) -> bool| {
        contents
            .keys
            .iter()
            .filter(|(_, record)| has(record))
            .count() as u64
    };
    assert_eq!(contents.selects, count("254"), "{name}: SELECTDB");
    assert_eq!(contents.resizes, count("251"), "{name}: RESIZEDB");
    assert_eq!(
        contents.module_aux.len() as u64,
        count("247"),
        "{name}: MODULE_AUX"
    );
    assert_eq!(
        contents.functions.len() as u64,
        count("245"),
        "{name}: FUNCTION2"
    );
    assert_eq!(
        keys_with(|record| record.idle_seconds.is_some()),
        count("248"),
        "{name}: IDLE"
    );
    assert_eq!(
        keys_with(|record| record.freq.is_some()),
        count("249"),
        "{name}: FREQ"
    );
    assert_eq!(
        keys_with(|record| record.expires_at_ms.is_some()),
        count("252") + count("253"),
        "{name}: EXPIRETIME"
    );
    for (code, function) in contents
        .functions
        .iter()
        .zip(expected["functions"].as_array().into_iter().flatten())
    {
        assert_eq!(
            digest::hex(&digest::sha1(code)),
            function["code_sha1"],
            "{name}: function"
        );
    }

    check_keys(name, contents, expected);
}

fn check_keys(name: &str, contents: &Contents, expected: &Json) {
    // Keys without a type opcode came from the commands behind the file.
    let keys = expected["keys"].as_array().expect("an array");
    let keys: Vec<_> = keys
        .iter()
        .filter(|key| !key["type_opcode"].is_null())
        .collect();
    assert_eq!(contents.keys.len(), keys.len(), "{name}: number of keys");
    let mut read = BTreeMap::new();
    for (db, record) in &contents.keys {
        read.insert((*db, record.key.clone()), record);
    }
    for key in keys {
        let db = key["db"].as_u64().expect("a number");
        let record = read.get(&(db, bytes(&key["key"])));
        let Some(record) = record else {
            panic!("{name}: no key {}", key["key"])
        };
        check_key(&format!("{name}, key {}", key["key"]), record, key);
    }
}

fn check_key(name: &str, record: &KeyRecord, expected: &Json) {
    assert_eq!(
        record.expires_at_ms.unwrap_or(-1),
        expected["pexpireat"],
        "{name}: expiry"
    );
    let (type_name, len) = match &record.value {
        Value::String(text) => ("string", text.len()),
        Value::List(elements, _) => ("list", elements.len()),
        Value::Set(members) => ("set", members.len()),
        Value::SortedSet { members, scores } => {
            assert_eq!(members.len(), scores.len(), "{name}: members and scores");
            ("zset", members.len())
        }
        Value::Hash(elements) => ("hash", elements.pairs().len()),
        Value::Stream(stream) => ("stream", stream.entries.len() as usize),
        Value::Module { name: module } => {
            assert_eq!(module, "ReJSON-RL", "{name}");
            return assert_eq!(expected["type_opcode"], 7, "{name}");
        }
    };
    if expected["not_loaded"] == "empty key skipped by redis" {
        return assert_eq!(len, 0, "{name}: length");
    }
    if expected["type"].is_null() {
        // No server loaded the file.
        return;
    }
    assert_eq!(type_name, expected["type"], "{name}: type");
    assert_eq!(len as u64, expected["len"], "{name}: length");
    if let Value::String(text) = &record.value
        && !expected["value"].is_null()
    {
        assert_eq!(*text, bytes(&expected["value"]), "{name}: value");
    }
    if let Value::Stream(stream) = &record.value {
        let info = &expected["xinfo"];
        let history = stream.entries.history();
        assert_eq!(stream.groups.len() as u64, info["groups"], "{name}");
        assert_eq!(history.entries_added, info["entries-added"], "{name}");
        for (fact, id) in [
            ("last-generated-id", history.last_id),
            ("max-deleted-entry-id", history.max_deleted_id),
            ("recorded-first-entry-id", history.first_id),
        ] {
            assert_eq!(id.to_string(), info[fact], "{name}: {fact}");
        }
    }
    // An expired key was loaded with its expiry taken away.
    let has_expiry = record.expires_at_ms.is_some() && expected["expired"].is_null();
    let digest = digest::of_value(&record.value, has_expiry);
    assert_eq!(digest, expected["digest"], "{name}: digest");
}

/// DEBUG DIGEST-VALUE, the way Redis 7.0 computes it (debug.c, xorObjectDigest). Redis 7.2 differs only in that scores
/// are not written with 17 digits, but with as few as tell them apart.
mod digest {
    use my_redis_server::rdb::Value;
    use my_redis_server::util::number;
    use sha1::Sha1;

    type Digest = [u8; 20];

    /// The digest of a value in hex.
    pub fn of_value(value: &Value, has_expiry: bool) -> String {
        let mut digest = [0; 20];
        match value {
            Value::String(text) => {
                mix(&mut digest, &0_u32.to_be_bytes());
                mix(&mut digest, text);
            }
            Value::List(elements, _) => {
                mix(&mut digest, &1_u32.to_be_bytes());
                elements
                    .iter()
                    .for_each(|element| mix(&mut digest, element));
            }
            Value::Set(members) => {
                mix(&mut digest, &2_u32.to_be_bytes());
                members.iter().for_each(|member| xor(&mut digest, member));
            }
            Value::SortedSet { members, scores } => {
                mix(&mut digest, &3_u32.to_be_bytes());
                for (member, score) in members.iter().zip(scores) {
                    let mut digits = Vec::new();
                    number::format_f64_17_digits(*score, &mut digits);
                    xor_pair(&mut digest, member, &digits);
                }
            }
            Value::Hash(elements) => {
                mix(&mut digest, &4_u32.to_be_bytes());
                elements
                    .pairs()
                    .for_each(|(field, value)| xor_pair(&mut digest, field, value));
            }
            Value::Stream(stream) => {
                mix(&mut digest, &6_u32.to_be_bytes());
                let mut digits = itoa::Buffer::new();
                for entry in stream.entries.iter() {
                    mix(
                        &mut digest,
                        format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes(),
                    );
                    for (field, value) in entry.fields() {
                        mix(&mut digest, field.text(&mut digits));
                        mix(&mut digest, value.text(&mut digits));
                    }
                }
            }
            Value::Module { .. } => unreachable!("no server could load it"),
        }
        if has_expiry {
            xor(&mut digest, b"!!expire!!");
        }
        hex(&digest)
    }

    /// Adds something whose order does not count.
    fn xor(digest: &mut Digest, bytes: &[u8]) {
        digest
            .iter_mut()
            .zip(sha1(bytes))
            .for_each(|(into, from)| *into ^= from);
    }

    /// Adds something whose order counts.
    fn mix(digest: &mut Digest, bytes: &[u8]) {
        xor(digest, bytes);
        *digest = sha1(digest);
    }

    fn xor_pair(digest: &mut Digest, first: &[u8], second: &[u8]) {
        let mut pair = [0; 20];
        mix(&mut pair, first);
        mix(&mut pair, second);
        xor(digest, &pair);
    }

    /// Lower-case hex.
    pub fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn sha1(message: &[u8]) -> Digest {
        <Sha1 as sha1::Digest>::digest(message).into()
    }

    #[test]
    fn sha1_of_known_texts() {
        // The examples of FIPS 180-2, and the empty text.
        assert_eq!(hex(&sha1(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(
            hex(&sha1(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(
            hex(&sha1(two_blocks)),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        );
    }
}
