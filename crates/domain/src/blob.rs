//! Blobs: bytes too many for a row or for the memory. They belong to an organisation, are kept in pieces, and never
//! change once they are whole.

/// A blob's id, never used again once it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub u64);

/// A blob that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its id.
    pub id: BlobId,
    /// How many bytes it has.
    pub size_bytes: u64,
}
