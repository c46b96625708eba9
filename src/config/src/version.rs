//! What `--version` prints.

/// The version of etcd whose API is served, as clients and tools read it.
pub const ETCD_VERSION: &str = "3.5.21";

/// The version of this server.
pub const CAMPANILE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that the build was told of, by the variable `CAMPANILE_GIT_SHA`.
pub const GIT_SHA: &str = match option_env!("CAMPANILE_GIT_SHA") {
    Some(sha) => sha,
    None => "not provided",
};

/// The four lines that etcd prints and tools look for, then our own.
#[must_use]
pub fn version() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!(
        "etcd Version: {ETCD_VERSION}\n\
         Git SHA: {GIT_SHA}\n\
         Go Version: none (Rust)\n\
         Go OS/Arch: {}/{architecture}\n\
         campanile Version: {CAMPANILE_VERSION}\n",
        std::env::consts::OS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_find_etcds_lines() {
        let text = version();
        let keys: Vec<&str> = text.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
        assert_eq!(keys, ["etcd Version", "Git SHA", "Go Version", "Go OS/Arch", "campanile Version"]);
        assert!(text.starts_with("etcd Version: 3.5.21\n"));
    }
}
