//! The YAML file of `--config-file`, with etcd's keys.
//!
//! A key is a flag's name, but for a few that etcd puts into sections; the table says which. A key without a value sets
//! nothing. Unlike etcd's, an unknown key is an error: a misspelt setting must not be taken for one that holds. Beyond
//! etcd's rules, a duration may be written as on the command line (`10m`) besides nanoseconds, and a list as a text.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::ConfigError;
use crate::flag::{Flag, Kind};
use crate::nearest::nearest;
use crate::settings::{Origin, Place, Settings, resolve};
use crate::table;
use crate::url::parse_urls;
use crate::value::Value;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the file into the settings.
pub(crate) fn read(path: &Path, settings: &mut Settings) -> Result<(), ConfigError> {
    let refuse = |problem: String| ConfigError::File { path: path.to_owned(), problem };
    let file = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    // A file of comments alone is no document, and sets nothing.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(());
    }
    let document: Node = serde_saphyr::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    match document {
        Node::Null => Ok(()),
        Node::Map(entries) => apply("", entries, settings),
        _ => Err(refuse("must hold keys and values".to_owned())),
    }
}

/// Sets what the entries of one section say; `section` is empty for the document itself.
fn apply(section: &str, entries: Vec<(String, Node)>, settings: &mut Settings) -> Result<(), ConfigError> {
    for (key, node) in entries {
        let path = if section.is_empty() { key } else { format!("{section}.{key}") };
        let is_section = is_section(&path);
        match (table::find_key(&path), node) {
            (Some(_), Node::Null) => {}
            (Some(flag), node) => set(flag, node, settings)?,
            (None, Node::Null) if is_section => {}
            (None, Node::Map(entries)) if is_section => apply(&path, entries, settings)?,
            (None, _) if is_section => {
                return Err(ConfigError::Unknown {
                    what: "no value, but keys belong below",
                    name: path,
                    nearest: None,
                });
            }
            (None, _) => {
                let known = table::flags().filter(|flag| flag.is_worth_suggesting()).filter_map(Flag::file_key);
                let nearest = nearest(&path, known).map(str::to_owned);
                return Err(ConfigError::Unknown { what: "unknown key", name: path, nearest });
            }
        }
    }
    Ok(())
}

/// Whether keys stand below this path.
fn is_section(path: &str) -> bool {
    let below = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    table::flags().filter_map(|flag| flag.file_key()).any(below)
}

fn set(flag: &'static Flag, node: Node, settings: &mut Settings) -> Result<(), ConfigError> {
    let kind = resolve(flag).kind;
    let text = node.text();
    let value = match (kind, node) {
        (Kind::Duration, Node::Integer(nanoseconds)) => {
            i64::try_from(nanoseconds).map(Value::Duration).map_err(|_| "is longer than 292 years".to_owned())
        }
        (Kind::List, Node::List(items)) => Ok(Value::list(items.iter().map(String::as_str))),
        (Kind::Urls, Node::List(items)) => {
            parse_urls(items.iter().map(String::as_str)).map(Value::Urls).map_err(|error| error.to_string())
        }
        (_, Node::List(_)) => Err("is a list; give a single value".to_owned()),
        (_, Node::Map(_)) => Err("has keys below it; give a single value".to_owned()),
        (_, scalar) => Value::parse(kind, &scalar.text()),
    };
    match value {
        Ok(value) => {
            settings.set_value(flag, value, text, Origin::File);
            Ok(())
        }
        Err(problem) => {
            Err(ConfigError::Invalid { place: Place { flag: flag.name, value: text, origin: Origin::File }, problem })
        }
    }
}

/// Any YAML that a configuration can hold.
enum Node {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    /// Of scalars, as their texts.
    List(Vec<String>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// As it would stand on the command line.
    fn text(&self) -> String {
        match self {
            Node::Null => String::new(),
            Node::Boolean(value) => value.to_string(),
            Node::Integer(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            Node::Text(value) => value.clone(),
            Node::List(items) => items.join(","),
            Node::Map(entries) => {
                let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
                format!("{{{}}}", keys.join(", "))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, a list of values, or keys with values")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Integer(i128::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Node>()? {
            match item {
                Node::List(_) | Node::Map(_) => {
                    return Err(serde::de::Error::custom("a list may hold single values only"));
                }
                scalar => items.push(scalar.text()),
            }
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<String, Node>()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}
