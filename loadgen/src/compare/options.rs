#[derive(Debug, clap::Args)] pub struct CompareOptions {}
