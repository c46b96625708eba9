//! How a call ended: gRPC's codes (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>) and a text.

use std::borrow::Cow;

use crate::limits::STATUS_MESSAGE_MAX_BYTES;

/// gRPC's status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Code {
    /// All codes, each at its own number.
    pub const ALL: [Code; 17] = [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::InvalidArgument,
        Code::DeadlineExceeded,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unimplemented,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
        Code::Unauthenticated,
    ];

    /// The code as `grpc-status` writes it.
    #[must_use]
    pub fn as_decimal(self) -> &'static str {
        const DECIMALS: [&str; 17] =
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];
        DECIMALS[self as usize]
    }

    /// The code as grpc-go's metrics name it (label `grpc_code`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Code::Ok => "OK",
            Code::Cancelled => "Canceled",
            Code::Unknown => "Unknown",
            Code::InvalidArgument => "InvalidArgument",
            Code::DeadlineExceeded => "DeadlineExceeded",
            Code::NotFound => "NotFound",
            Code::AlreadyExists => "AlreadyExists",
            Code::PermissionDenied => "PermissionDenied",
            Code::ResourceExhausted => "ResourceExhausted",
            Code::FailedPrecondition => "FailedPrecondition",
            Code::Aborted => "Aborted",
            Code::OutOfRange => "OutOfRange",
            Code::Unimplemented => "Unimplemented",
            Code::Internal => "Internal",
            Code::Unavailable => "Unavailable",
            Code::DataLoss => "DataLoss",
            Code::Unauthenticated => "Unauthenticated",
        }
    }
}

/// A code, and a text that clients may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub code: Code,
    pub message: Cow<'static, str>,
}

impl Status {
    /// Success.
    pub const OK: Status = Status { code: Code::Ok, message: Cow::Borrowed("") };

    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Status {
        Status { code, message: message.into() }
    }

    /// The text as `grpc-message` carries it: percent-encoded but for printable ASCII, and cut to what a client's
    /// limit on headers surely lets through.
    pub(crate) fn encoded_message(&self) -> String {
        const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";
        let mut encoded = String::with_capacity(self.message.len());
        for character in self.message.chars() {
            let mut utf8 = [0; 4];
            let utf8 = character.encode_utf8(&mut utf8).as_bytes();
            if encoded.len() + 3 * utf8.len() > STATUS_MESSAGE_MAX_BYTES {
                break;
            }
            for &byte in utf8 {
                if (b' '..=b'~').contains(&byte) && byte != b'%' {
                    encoded.push(char::from(byte));
                } else {
                    encoded.push('%');
                    encoded.push(char::from(HEXADECIMAL[usize::from(byte >> 4)]));
                    encoded.push(char::from(HEXADECIMAL[usize::from(byte & 15)]));
                }
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_at_their_numbers() {
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, number);
            assert_eq!(code.as_decimal(), number.to_string());
        }
    }

    #[test]
    fn messages_are_percent_encoded() {
        let encoded = |text: &'static str| Status::new(Code::Unknown, text).encoded_message();
        assert_eq!(encoded("etcdserver: no leader"), "etcdserver: no leader");
        assert_eq!(encoded("50 % off\n"), "50 %25 off%0A");
        assert_eq!(encoded("Schlüssel"), "Schl%C3%BCssel");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let status = Status::new(Code::Unknown, "ü".repeat(STATUS_MESSAGE_MAX_BYTES));
        let encoded = status.encoded_message();
        assert!(encoded.len() <= STATUS_MESSAGE_MAX_BYTES);
        assert!(encoded.ends_with("%BC"));
    }
}
