//! What other members say, for the executor that it concerns.

use super::driver::Driver;
use crate::peers::{Answer, Incoming, RelayRequest, RelayStatus};
use crate::rpc::Relayed;
use campanile_core::executor::effect::Input;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;

impl Incoming for Driver {
    fn peer(&self, from: MemberId, message: PeerMessage) {
        self.input(Input::Peer { from, message });
    }

    fn relayed(&self, _from: MemberId, request: RelayRequest, answer: Answer) {
        let RelayRequest { method, message, deadline } = request;
        let done = move |result: Result<_, campanile_rpc::Status>| {
            answer(result.map_err(|status| RelayStatus { code: status.code as u32, text: status.message.into() }));
        };
        self.services().relayed(Relayed { method, message, deadline }, Box::new(done));
    }
}
