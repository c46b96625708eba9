//! The few inputs of each sort that are worth keeping.

use std::{collections::BTreeMap, fs, path::Path};

const SORT_MAX: usize = 2;
const INPUT_BYTES_MAX: usize = 4 << 10;

/// By target and sort.
pub struct Kept(BTreeMap<(String, String), Vec<Vec<u8>>>);

impl Kept {
    pub fn new() -> Kept {
        Kept(BTreeMap::new())
    }

    /// Keeps an input, unless it is large, empty or one of many.
    pub fn keep(&mut self, target: &str, sort: &str, input: &[u8]) {
        let inputs = self.0.entry((target.to_owned(), sort.to_owned())).or_default();
        let limit = if ["grpc", "message"].contains(&sort) { SORT_MAX * 8 } else { SORT_MAX };
        let is_new = inputs.iter().all(|before| before != input);
        if is_new && !input.is_empty() && input.len() <= INPUT_BYTES_MAX && inputs.len() < limit {
            inputs.push(input.to_vec());
        }
    }

    /// Writes a file for each.
    pub fn write(&self) {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for ((target, sort), inputs) in &self.0 {
            let folder = corpora.join(target);
            fs::create_dir_all(&folder).expect("the source tree can be written");
            for (input, number) in inputs.iter().zip(0..) {
                fs::write(folder.join(format!("{sort}-{number}")), input).expect("the source tree can be written");
            }
        }
    }
}
