//! Replays every input that is kept: of real traffic, and what once found something.

use std::{fs, path::Path};

use campanile_fuzz::TARGETS;

#[test]
fn every_kept_input_is_taken() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, run) in TARGETS {
        let mut inputs: Vec<_> = fs::read_dir(corpora.join(name))
            .unwrap_or_else(|error| panic!("the corpus of {name}: {error}"))
            .map(|entry| entry.expect("an entry of the corpus").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{name} has no inputs");
        for path in &inputs {
            // Seen only if the next line panics.
            eprintln!("{}", path.display());
            run(&fs::read(path).expect("an input"));
        }
        run(b"");
    }
}
