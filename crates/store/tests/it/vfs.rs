//! A disk that remembers every write and sync, and that can be full.
//!
//! It is SQLite's own VFS with four methods of each file replaced. SQLite's file methods find their state
//! through the file alone, so the replaced ones call the original ones on the same file.
#![allow(unsafe_code, reason = "SQLite's VFS is a C interface")]

use rusqlite::ffi::{
    SQLITE_FULL, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file,
    sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What happened to the disk.
#[derive(Clone, Debug)]
pub enum Step {
    Change(String, Change),
    Sync(String),
    /// Which files there are is on the disk.
    SyncDirectory,
    /// Noted by the test.
    Note(Note),
}

/// What happened to a file.
#[derive(Clone, Debug)]
pub enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
    Delete,
}

/// What a test notes between the writes.
#[derive(Clone, Copy, Debug)]
pub enum Note {
    /// The store answered for everything up to this revision.
    Answered(u64),
    /// The store is about to be compacted there.
    Compacting(u64),
}

/// A recording disk.
#[derive(Default)]
pub struct Disk {
    log: Mutex<Vec<Step>>,
    full: AtomicBool,
}

struct OpenFile {
    disk: &'static Disk,
    name: String,
    real: &'static sqlite3_io_methods,
    /// Whether its first sync is to sync its directory too, as SQLite's VFS does for the journals that it creates.
    is_new_journal: AtomicBool,
}

/// The open files of all recording disks, by their address: a file's own memory belongs to SQLite.
static FILES: Mutex<BTreeMap<usize, Arc<OpenFile>>> = Mutex::new(BTreeMap::new());

impl Disk {
    /// A new disk, to be reached as the VFS of that name. It stays for the rest of the process.
    pub fn register(name: &str) -> &'static Disk {
        let disk: &'static Disk = Box::leak(Box::default());
        let name = CString::new(name).unwrap().into_raw();
        // SAFETY: the default VFS exists in every build for an operating system and is never unregistered.
        // The copy and its name are leaked, so they outlive every use. The copy's methods are those of the
        // default one, which use nothing of the structure that they are given but `mxPathname`, and our own
        // two, which pass the default one on to its methods.
        unsafe {
            let mut vfs = ptr::read(sqlite3_vfs_find(ptr::null()));
            vfs.zName = name;
            vfs.pNext = ptr::null_mut();
            vfs.pAppData = ptr::from_ref(disk).cast_mut().cast();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            assert_eq!(sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0), SQLITE_OK);
        }
        disk
    }

    /// Notes something among the writes.
    pub fn note(&self, note: Note) {
        self.record(Step::Note(note));
    }

    /// What happened so far.
    pub fn log(&self) -> Vec<Step> {
        self.log.lock().unwrap().clone()
    }

    /// From now on there is, or is no, space left.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    fn record(&self, step: Step) {
        self.log.lock().unwrap().push(step);
    }
}

fn find(file: *mut sqlite3_file) -> Arc<OpenFile> {
    FILES.lock().unwrap()[&file.addr()].clone()
}

/// The file's name without its directory.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn name_of(path: *const c_char) -> Option<String> {
    // SAFETY: checked for null here, and a C string by this function's own condition.
    let path = unsafe { (!path.is_null()).then(|| CStr::from_ptr(path)) }?;
    Some(Path::new(path.to_str().ok()?).file_name()?.to_str()?.to_owned())
}

/// # Safety
/// Called by SQLite as `xOpen` of a VFS that [`Disk::register`] made.
unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's, passed on unchanged, but for the VFS, which the default one's
    // method needs to be its own. `pAppData` is the leaked disk. After success `pMethods` is the default
    // VFS's static table; the table put in its place is leaked, and so valid as long as the file.
    unsafe {
        let default = sqlite3_vfs_find(ptr::null());
        let opened = ((*default).xOpen.unwrap())(default, path, file, flags, out);
        let Some(name) = name_of(path).filter(|_| opened == SQLITE_OK) else { return opened };
        let disk: &'static Disk = &*(*vfs).pAppData.cast::<Disk>();
        let real: &'static sqlite3_io_methods = &*(*file).pMethods;
        let mut methods = ptr::read(real);
        methods.iVersion = 2;
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync);
        methods.xClose = Some(close);
        (*file).pMethods = Box::leak(Box::new(methods));
        let journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) != 0;
        let is_new_journal = AtomicBool::new(journal && flags & SQLITE_OPEN_CREATE != 0);
        FILES.lock().unwrap().insert(file.addr(), Arc::new(OpenFile { disk, name, real, is_new_journal }));
        opened
    }
}

/// # Safety
/// Called by SQLite as `xDelete` of a VFS that [`Disk::register`] made.
unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as in `open`; `path` is a C string by SQLite's interface.
    unsafe {
        let default = sqlite3_vfs_find(ptr::null());
        let deleted = ((*default).xDelete.unwrap())(default, path, sync);
        if let Some(name) = name_of(path).filter(|_| deleted == SQLITE_OK) {
            let disk: &'static Disk = &*(*vfs).pAppData.cast::<Disk>();
            disk.record(Step::Change(name, Change::Delete));
            if sync != 0 {
                disk.record(Step::SyncDirectory);
            }
        }
        deleted
    }
}

/// # Safety
/// Called by SQLite as `xWrite` of a file that `open` opened.
unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: sqlite3_int64,
) -> c_int {
    let open = find(file);
    if open.disk.full.load(Ordering::SeqCst) {
        return SQLITE_FULL;
    }
    // SAFETY: the arguments are SQLite's, passed on unchanged to the file's own method; `data` points to
    // `amount` bytes.
    let (written, data) = unsafe {
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), amount as usize).to_vec();
        ((open.real.xWrite.unwrap())(file, data, amount, offset), bytes)
    };
    if written == SQLITE_OK {
        open.disk.record(Step::Change(open.name.clone(), Change::Write(offset as usize, data)));
    }
    written
}

/// # Safety
/// Called by SQLite as `xTruncate` of a file that `open` opened.
unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    let open = find(file);
    // SAFETY: the arguments are SQLite's, passed on unchanged to the file's own method.
    let truncated = unsafe { (open.real.xTruncate.unwrap())(file, size) };
    if truncated == SQLITE_OK {
        open.disk.record(Step::Change(open.name.clone(), Change::Truncate(size as usize)));
    }
    truncated
}

/// # Safety
/// Called by SQLite as `xSync` of a file that `open` opened.
unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let open = find(file);
    // SAFETY: the arguments are SQLite's, passed on unchanged to the file's own method.
    let synced = unsafe { (open.real.xSync.unwrap())(file, flags) };
    if synced == SQLITE_OK {
        open.disk.record(Step::Sync(open.name.clone()));
        if open.is_new_journal.swap(false, Ordering::SeqCst) {
            open.disk.record(Step::SyncDirectory);
        }
    }
    synced
}

/// # Safety
/// Called by SQLite as `xClose` of a file that `open` opened.
unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let open = FILES.lock().unwrap().remove(&file.addr()).expect("only open files are closed");
    // SAFETY: the argument is SQLite's, passed on unchanged to the file's own method.
    unsafe { (open.real.xClose.unwrap())(file) }
}
