//! Makes one thread's requests, one after the other, and learns from their answers. Pure, seeded: no socket, no clock.

use super::{
    keys::{KEYS_MAX, Keys, Order, prefix_end},
    known::KnownRevisions,
    operation::{Mix, Operation},
    values::Values,
};
use crate::{
    etcd::{
        protobuf::DecodeError,
        requests::{self, Method},
        responses,
    },
    load::Load,
};
use rand::{SeedableRng, rngs::StdRng};

/// What a request was about, to understand its answer by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub operation: Operation,
    pub key: u64,
}

impl Request {
    pub fn method(self) -> Method {
        match self.operation {
            Operation::Put => Method::Put,
            Operation::Get | Operation::Range => Method::Range,
            Operation::Update | Operation::Create => Method::Txn,
        }
    }
}

/// What a good answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Something was written, at this revision.
    Written(i64),
    /// A transaction's comparison failed.
    Conflict,
    /// A read that found keys.
    Found,
    /// A get of a key that is not there.
    Missing,
}

/// One thread's requests.
#[derive(Debug)]
pub struct Source {
    random: StdRng,
    mix: Mix,
    keys: Keys,
    /// Keys for creates alone: none of them was ever used.
    fresh_keys: Keys,
    known: Option<KnownRevisions>,
    values: Values,
    range_end: Vec<u8>,
    range_limit: i64,
    serializable: bool,
    key_buffer: Vec<u8>,
}

impl Source {
    /// The requests of `thread` for this load. Creates use keys numbered from `first_fresh` on: the store's revision
    /// is such a number, as every create so far has raised it.
    pub fn new(load: &Load, thread: u64, first_fresh: u64) -> Self {
        // Spread the threads' seeds: neighbouring ones would share their streams with neighbouring runs.
        let mut random = StdRng::seed_from_u64(load.seed ^ (thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let threads = load.threads as u64;
        let keys = Keys::new(&load.prefix, load.keys, thread, threads, load.order, load.zipf_exponent);
        let fresh_prefix = format!("{}new/", load.prefix);
        let fresh_keys =
            Keys::new(&fresh_prefix, KEYS_MAX, thread, threads, Order::Sequential, 1.0).starting_at(first_fresh);
        Self {
            values: Values::new(load.value_bytes, &mut random),
            random,
            mix: load.mix.clone(),
            known: load.mix.has(Operation::Update).then(|| KnownRevisions::new(keys.owned())),
            keys,
            fresh_keys,
            range_end: prefix_end(load.prefix.as_bytes()),
            range_limit: load.range_limit,
            serializable: load.serializable,
            key_buffer: Vec::new(),
        }
    }

    /// Number of keys that the thread owns.
    pub fn keys_owned(&self) -> u64 {
        self.keys.owned()
    }

    /// Changes what is asked, and in which order of keys.
    pub fn choose_by(&mut self, mix: &Mix, order: Order, zipf_exponent: f64) {
        self.mix = mix.clone();
        self.keys.choose_by(order, zipf_exponent);
    }

    /// Writes the next request into `message`, which it clears first.
    pub fn next(&mut self, message: &mut Vec<u8>) -> Request {
        message.clear();
        self.key_buffer.clear();
        let operation = self.mix.choose(&mut self.random);
        if operation == Operation::Create {
            let key = self.fresh_keys.choose(&mut self.random);
            self.fresh_keys.write(&mut self.key_buffer, key);
            requests::update(message, &self.key_buffer, self.values.choose(&mut self.random), 0);
            return Request { operation, key };
        }
        let mut key = self.keys.choose(&mut self.random);
        let mut mod_revision = 0;
        if operation == Operation::Update {
            (key, mod_revision) = self.known.as_mut().expect("a mix with updates keeps revisions").claim(key);
        }
        self.keys.write(&mut self.key_buffer, key);
        let (name, serializable) = (self.key_buffer.as_slice(), self.serializable);
        match operation {
            Operation::Put => requests::put(message, name, self.values.choose(&mut self.random)),
            Operation::Get => {
                requests::range(message, requests::Range { key: name, serializable, ..Default::default() });
            }
            Operation::Range => {
                let (range_end, limit) = (self.range_end.as_slice(), self.range_limit);
                let range = requests::Range { key: name, range_end, limit, serializable, count_only: false };
                requests::range(message, range);
            }
            Operation::Update => {
                requests::update(message, name, self.values.choose(&mut self.random), mod_revision);
            }
            Operation::Create => unreachable!("creates have keys of their own"),
        }
        Request { operation, key }
    }

    /// Understands the answer to a request.
    ///
    /// # Errors
    /// If it is not the answer that etcd gives to such a request.
    pub fn answered(&mut self, request: Request, message: &[u8]) -> Result<Effect, DecodeError> {
        match request.operation {
            Operation::Put => {
                let revision = responses::put(message)?;
                self.learn(request.key, revision);
                Ok(Effect::Written(revision))
            }
            Operation::Get | Operation::Range => {
                let found = responses::range(message)?.returned > 0;
                Ok(if found { Effect::Found } else { Effect::Missing })
            }
            Operation::Create => {
                let answer = responses::txn(message)?;
                Ok(if answer.succeeded { Effect::Written(answer.revision) } else { Effect::Conflict })
            }
            Operation::Update => {
                let answer = responses::txn(message)?;
                if answer.succeeded {
                    self.learn(request.key, answer.revision);
                    return Ok(Effect::Written(answer.revision));
                }
                let found = answer.found.ok_or(DecodeError::Missing("what its failure branch read"))?;
                self.learn(request.key, found.mod_revision);
                Ok(Effect::Conflict)
            }
        }
    }

    /// A request has ended, well or not.
    pub fn ended(&mut self, request: Request) {
        if let (Operation::Update, Some(known)) = (request.operation, &mut self.known) {
            known.release(request.key);
        }
    }

    fn learn(&mut self, key: u64, mod_revision: i64) {
        if let Some(known) = &mut self.known {
            known.learn(key, mod_revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_api::etcdserverpb::{PutRequest, PutResponse, RangeRequest, ResponseHeader, TxnRequest};
    use prost::Message;

    fn source(mix: Mix) -> Source {
        Source::new(&Load { mix, keys: 3, value_bytes: 10, prefix: "k".into(), ..Load::for_tests() }, 0, 40)
    }

    #[test]
    fn updates_compare_with_what_puts_taught() {
        let mut source = source(Mix::only(Operation::Update));
        let mut message = Vec::new();
        source.choose_by(&Mix::only(Operation::Put), Order::Sequential, 1.0);
        for revision in 2..5 {
            let put = source.next(&mut message);
            assert_eq!(PutRequest::decode(message.as_slice()).unwrap().value.len(), 10);
            let header = Some(ResponseHeader { revision, ..Default::default() });
            let answer = PutResponse { header, prev_kv: None }.encode_to_vec();
            assert_eq!(source.answered(put, &answer), Ok(Effect::Written(revision)));
        }
        source.choose_by(&Mix::only(Operation::Update), Order::Sequential, 1.0);
        source.next(&mut message);
        let update = TxnRequest::decode(message.as_slice()).unwrap();
        assert_eq!(format!("{:?}", update.compare[0].target_union), "Some(ModRevision(2))");
    }

    #[test]
    fn creates_begin_beyond_every_key_that_was_ever_created() {
        let mut source = source(Mix::only(Operation::Create));
        let mut message = Vec::new();
        assert_eq!(source.next(&mut message), Request { operation: Operation::Create, key: 40 });
        let create = TxnRequest::decode(message.as_slice()).unwrap();
        assert_eq!(create.compare[0].key.as_ref(), b"knew/0000000040");
        assert_eq!(source.next(&mut message).key, 41);
    }

    #[test]
    fn a_range_stays_inside_the_prefix() {
        let mut source = source(Mix::only(Operation::Range));
        let mut message = Vec::new();
        source.next(&mut message);
        let range = RangeRequest::decode(message.as_slice()).unwrap();
        assert_eq!((range.range_end.as_ref(), range.limit), (b"l".as_slice(), 100));
        assert_eq!(
            source.answered(Request { operation: Operation::Get, key: 0 }, b"\x0a\x02\x18\x07"),
            Ok(Effect::Missing)
        );
    }
}
