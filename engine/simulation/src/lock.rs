//! How a value that several tasks share is locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a value that nobody leaves half changed. A poisoned lock is taken all the same: whoever panicked tells of the panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
