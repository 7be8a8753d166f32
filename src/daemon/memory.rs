//! Keeping what the allocator holds close to what is used: the daemon lives for weeks.

/// Large buffers get pages of their own, which go back when they are freed; by itself glibc stops doing so after the first
/// of them. And few arenas: each thread that allocates would get one of its own, and what a busy moment leaves in it stays.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn be_frugal() {
    const LARGE: i32 = 256 << 10;
    // SAFETY: takes no pointers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * LARGE);
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Returns what a large piece of work has freed to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // SAFETY: takes no pointers, and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn be_frugal() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
