//! The rows of the group `storage`.

pub mod storage_class;
