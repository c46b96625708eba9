//! Serves the tests' server, which does next to nothing, on 127.0.0.1:24790: a load on it shows what the generator
//! itself costs. `cargo run --release -p campanile-loadgen --example null_etcd`

#[path = "../tests/null_etcd/mod.rs"]
mod null_etcd;

fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:24790").expect("port 24790 is free");
    null_etcd::serve(listener);
}
