//! How what several tasks share is locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what nobody leaves half changed: a panic elsewhere is told by whoever panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
