//! YAML as values that know their place in the file.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, MergeKeyPolicy, Spanned};

use super::Place;

/// A value of a YAML document.
#[derive(Debug, Clone)]
pub struct Node {
    place: Place,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Scalar(Value),
    List(Vec<Node>),
    /// Every entry as written, repeated keys too.
    Map(Vec<(String, Place, Node)>),
}

/// A key that is given twice in one map.
#[derive(Debug)]
pub struct RepeatedKey<'a> {
    /// The key.
    pub key: &'a str,
    /// Where it is given again.
    pub place: Place,
    /// Where it is given first.
    pub first: Place,
}

/// Values that aliases may repeat, so that a short file cannot become a huge one.
const MOST_REPEATED: usize = 50_000;

/// Reads one YAML document; only `true` and `false` are booleans, as in YAML 1.2.
///
/// # Errors
/// A syntax error, with its place.
pub fn parse(text: &str) -> Result<Node, (Place, String)> {
    let mut options = serde_saphyr::Options::default();
    options.budget = None; // the size of the file bounds it
    options.alias_limits.max_total_replayed_events = MOST_REPEATED;
    options.duplicate_keys = DuplicateKeyPolicy::LastWins; // hands every entry to the visitor
    options.merge_keys = MergeKeyPolicy::Merge;
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map_or(Place::default(), Place::from);
        (place, error.without_snippet().to_string())
    })
}

impl Node {
    /// The value as JSON; of a repeated key the last entry.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(entries) => entries
                .iter()
                .map(|(key, _, node)| (key.clone(), node.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// Where `pointer` (a JSON pointer) is: its key, or the list item; the nearest parent that exists when it does not.
    pub fn place(&self, pointer: &str) -> Place {
        self.follow(pointer).0
    }

    /// The entries of a map, with the places of their keys; none of what is empty, and `None` for anything else.
    pub fn entries(&self) -> Option<&[(String, Place, Node)]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            Data::Scalar(Value::Null) => Some(&[]),
            Data::Scalar(_) | Data::List(_) => None,
        }
    }

    /// The items of a list, likewise.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(items) => Some(items),
            Data::Scalar(Value::Null) => Some(&[]),
            Data::Scalar(_) | Data::Map(_) => None,
        }
    }

    /// Whether there is something at `pointer`.
    pub fn has(&self, pointer: &str) -> bool {
        self.follow(pointer).1
    }

    /// The place reached on the way along `pointer`, and whether that is its end.
    fn follow(&self, pointer: &str) -> (Place, bool) {
        let mut place = self.place;
        let mut node = self;
        for segment in pointer.split('/').skip(1) {
            match node.child(segment) {
                Some(found) => (place, node) = found,
                None => return (place, false),
            }
        }
        (place, true)
    }

    fn child(&self, segment: &str) -> Option<(Place, &Self)> {
        match &self.data {
            Data::Map(entries) => {
                let name = unescape(segment);
                let entry = entries.iter().rev().find(|(key, ..)| *key == name);
                entry.map(|(_, place, node)| (*place, node))
            }
            Data::List(items) => {
                let item = items.get(segment.parse::<usize>().ok()?)?;
                Some((item.place, item))
            }
            Data::Scalar(_) => None,
        }
    }

    /// Every key that repeats an earlier one of the same map.
    pub fn repeated_keys(&self) -> Vec<RepeatedKey<'_>> {
        let mut found = Vec::new();
        self.collect_repeated(&mut found);
        found
    }

    fn collect_repeated<'a>(&'a self, found: &mut Vec<RepeatedKey<'a>>) {
        match &self.data {
            Data::Scalar(_) => {}
            Data::List(items) => items.iter().for_each(|item| item.collect_repeated(found)),
            Data::Map(entries) => {
                let mut seen: HashMap<&str, Place> = HashMap::new();
                for (key, place, node) in entries {
                    match seen.entry(key) {
                        Entry::Occupied(first) => found.push(RepeatedKey {
                            key,
                            place: *place,
                            first: *first.get(),
                        }),
                        Entry::Vacant(entry) => {
                            entry.insert(*place);
                        }
                    }
                    node.collect_repeated(found);
                }
            }
        }
    }
}

/// One segment of a JSON pointer for `key`.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self::new(location.line(), location.column())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Data>::deserialize(deserializer)?;
        Ok(Self {
            place: spanned.referenced.into(),
            data: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Data, E> {
        Ok(Data::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Data, E> {
        Ok(Data::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Data, E> {
        Ok(Data::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Data, E> {
        Ok(Data::Scalar(Number::from_f64(value).into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Data, E> {
        Ok(Data::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Data, E> {
        Ok(Data::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        Data::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Data::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Data, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            map.push((key.value, key.referenced.into(), entries.next_value()?));
        }
        Ok(Data::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "\
a: 1
list:
  - x
  - {deep: yes, n: -2.5, d: 2026-01-01}
a: 2
empty:
text: 'true'
b/c: true
";

    #[test]
    fn reads_values_as_yaml_1_2_does() {
        let expected = json!({
            "a": 2,
            "list": ["x", {"deep": "yes", "n": -2.5, "d": "2026-01-01"}],
            "empty": null,
            "text": "true",
            "b/c": true,
        });
        assert_eq!(parse(TEXT).expect("parses").to_json(), expected);
    }

    #[test]
    fn files_from_windows_read_alike() {
        let windows = format!("\u{feff}{}", TEXT.replace('\n', "\r\n"));
        let node = parse(&windows).expect("parses");
        assert_eq!(node.to_json(), parse(TEXT).expect("parses").to_json());
        assert_eq!(node.place("/empty").line, 6);
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            let list = vec![alias; 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert!(parse(&text).is_err());
    }

    #[test]
    fn knows_where_things_are() {
        let node = parse(TEXT).expect("parses");
        for (pointer, line, column) in [
            ("", 1, 1),
            ("/list", 2, 1),
            ("/list/0", 3, 5),
            ("/list/1/n", 4, 17),
            ("/list/1/nope/x", 4, 5),
            ("/a", 5, 1),
            ("/b~1c", 8, 1),
        ] {
            assert_eq!(node.place(pointer), Place { line, column }, "{pointer}");
        }
        assert!(node.has("/list/1/n") && !node.has("/list/1/nope"));
    }

    #[test]
    fn finds_repeated_keys() {
        let node = parse(TEXT).expect("parses");
        let repeated = node.repeated_keys();
        assert_eq!(repeated.len(), 1);
        assert_eq!((repeated[0].key, repeated[0].place.line), ("a", 5));
        assert_eq!(repeated[0].first.line, 1);
    }

    #[test]
    fn a_syntax_error_has_a_place() {
        let (place, message) = parse("a: [1,\nb: 2").expect_err("unclosed");
        assert!(place.line > 0, "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}
