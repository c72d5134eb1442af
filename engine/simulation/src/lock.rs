//! Locking of values that several tasks share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even where a thread panicked while it held the lock. The value is never left half changed, and the panic is reported by
/// its own thread.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
