//! The checkpoint that is offered to members that fell behind, read a part at a time beside everything else.

use campanile_core::executor::effect::Input;
use campanile_core::peer::OfferId;
use campanile_storage::checkpoint::Source;
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::MemberId;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// Which part is wanted, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub to: MemberId,
    pub offer: OfferId,
    pub offset: u64,
    pub bytes_max: usize,
}

pub struct Offers<D: Disk> {
    disk: D,
    offered: RefCell<Option<Rc<Offered<D>>>>,
}

struct Offered<D: Disk> {
    path: PathBuf,
    /// Opened with the first part; from then on the file stays readable when it is removed.
    source: RefCell<Option<Rc<Source<D>>>>,
}

impl<D: Disk> Offers<D> {
    #[must_use]
    pub fn new(disk: D) -> Offers<D> {
        Offers { disk, offered: RefCell::default() }
    }

    /// This file is offered from now on.
    pub fn begin(&self, path: PathBuf) {
        self.offered.replace(Some(Rc::new(Offered { path, source: RefCell::default() })));
    }

    pub fn end(&self) {
        self.offered.replace(None);
    }

    /// Reads a part of what is offered now.
    pub async fn read(&self, wanted: Wanted) -> Input {
        let Wanted { to, offer, offset, bytes_max } = wanted;
        let offered = self.offered.borrow().clone();
        let read = match offered {
            Some(offered) => self.read_from(&offered, offset, bytes_max).await,
            None => Ok(None),
        };
        let read = read.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read the checkpoint that a member was to be sent; it gets another one");
            None
        });
        Input::OfferRead { to, offer, offset, read }
    }

    async fn read_from(
        &self,
        offered: &Offered<D>,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<(u64, bytes::Bytes)>, Error> {
        let open = offered.source.borrow().clone();
        let source = match open {
            Some(source) => source,
            None => {
                let source = Rc::new(Source::open(&self.disk, &offered.path).await?);
                offered.source.replace(Some(Rc::clone(&source)));
                source
            }
        };
        let bytes = source.read_chunk(offset, bytes_max).await?;
        Ok(Some((source.bytes(), bytes)))
    }
}
