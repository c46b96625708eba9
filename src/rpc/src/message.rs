//! A message to be sent, in one piece or several that were never joined.

use bytes::Bytes;

/// The bytes of one protobuf message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Whole(Bytes),
    /// The pieces, in order: so that what is shared between answers need not be copied into each.
    Pieces(Vec<Bytes>),
}

impl Message {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Message::Whole(bytes) => bytes.len(),
            Message::Pieces(pieces) => pieces.iter().map(Bytes::len).sum(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Message {
        Message::Whole(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::Whole(bytes.into())
    }
}

impl From<Vec<Bytes>> for Message {
    fn from(pieces: Vec<Bytes>) -> Message {
        Message::Pieces(pieces)
    }
}
