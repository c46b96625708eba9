//! Flags about TLS, origins and authentication. None of it is served yet.

use crate::flag::{Flag, Kind};

pub(super) const FLAGS: &[Flag] = &[
    Flag::later("cert-file", Kind::Text, "").key("client-transport-security.cert-file"),
    Flag::later("key-file", Kind::Text, "").key("client-transport-security.key-file"),
    Flag::later("client-cert-file", Kind::Text, "").key("client-transport-security.client-cert-file"),
    Flag::later("client-key-file", Kind::Text, "").key("client-transport-security.client-key-file"),
    Flag::later("client-cert-auth", Kind::Boolean, "false").key("client-transport-security.client-cert-auth"),
    Flag::later("client-crl-file", Kind::Text, ""),
    Flag::later("client-cert-allowed-hostname", Kind::List, "").key("client-transport-security.allowed-hostname"),
    Flag::later("trusted-ca-file", Kind::Text, "").key("client-transport-security.trusted-ca-file"),
    Flag::later("auto-tls", Kind::Boolean, "false").key("client-transport-security.auto-tls"),
    Flag::later("peer-cert-file", Kind::Text, "").key("peer-transport-security.cert-file"),
    Flag::later("peer-key-file", Kind::Text, "").key("peer-transport-security.key-file"),
    Flag::later("peer-client-cert-file", Kind::Text, "").key("peer-transport-security.client-cert-file"),
    Flag::later("peer-client-key-file", Kind::Text, "").key("peer-transport-security.client-key-file"),
    Flag::later("peer-client-cert-auth", Kind::Boolean, "false").key("peer-transport-security.client-cert-auth"),
    Flag::later("peer-trusted-ca-file", Kind::Text, "").key("peer-transport-security.trusted-ca-file"),
    Flag::later("peer-auto-tls", Kind::Boolean, "false").key("peer-transport-security.auto-tls"),
    Flag::later("peer-crl-file", Kind::Text, ""),
    Flag::later("peer-cert-allowed-cn", Kind::List, "").key("peer-transport-security.allowed-cn"),
    Flag::later("peer-cert-allowed-hostname", Kind::List, "").key("peer-transport-security.allowed-hostname"),
    Flag::later("peer-skip-client-san-verification", Kind::Boolean, "false")
        .key("peer-transport-security.skip-client-san-verification"),
    Flag::later("self-signed-cert-validity", Kind::Unsigned, "1"),
    Flag::later("cipher-suites", Kind::List, ""),
    Flag::later("tls-min-version", Kind::Text, "TLS1.2"),
    Flag::later("tls-max-version", Kind::Text, ""),
    Flag::later("cors", Kind::List, "*").also(&[""]),
    Flag::later("host-whitelist", Kind::List, "*").also(&[""]),
    Flag::later("auth-token", Kind::Text, "simple"),
    Flag::later("auth-token-ttl", Kind::Unsigned, "300"),
    Flag::later("bcrypt-cost", Kind::Unsigned, "10"),
];
