//! Limits how many requests one address may make in a minute, so that one address cannot use up the server's time.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// Largest number of addresses that are remembered. An address that is forgotten begins with a full allowance again.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
const MINUTE: Duration = Duration::from_secs(60);

/// The allowances of the addresses.
pub(super) struct Addresses {
    per_minute: u32,
    allowances: Mutex<LruCache<IpAddr, Allowance>>,
}

/// The number of requests that an address may still make. It grows evenly, from 0 to the whole allowance within a minute.
struct Allowance {
    left: f64,
    since: Instant,
}

impl Addresses {
    pub(super) fn new(per_minute: u32) -> Addresses {
        Addresses { per_minute, allowances: Mutex::new(LruCache::new(REMEMBERED_MAX)) }
    }

    /// Takes one request from the allowance of an address. If nothing of the allowance is left, returns the time after which the address
    /// may try again.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let most = f64::from(self.per_minute);
        let per_second = most / MINUTE.as_secs_f64();
        // Each operation leaves the table valid, so it can be used even if a thread has panicked while it held the lock.
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        let allowance = allowances.get_or_insert_mut(network_of(address), || Allowance { left: most, since: now });
        let passed = now.saturating_duration_since(allowance.since).as_secs_f64();
        allowance.left = (allowance.left + passed * per_second).min(most);
        allowance.since = now;
        if allowance.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - allowance.left) / per_second));
        }
        allowance.left -= 1.0;
        Ok(())
    }
}

/// Returns the address whose allowance a request uses. Of an IPv6 address only the first 64 bits count, since a single internet line
/// usually has all addresses that share them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_allowance_is_used_up_and_comes_back_evenly() {
        let (addresses, began) = (Addresses::new(60), Instant::now());
        let one = address("192.0.2.1");
        for _ in 0..60 {
            addresses.take(one, began).unwrap();
        }
        assert_eq!(addresses.take(one, began), Err(Duration::from_secs(1)));
        addresses.take(address("192.0.2.2"), began).unwrap();
        addresses.take(one, began + Duration::from_secs(1)).unwrap();
        addresses.take(one, began + Duration::from_secs(1)).unwrap_err();
        for _ in 0..60 {
            addresses.take(one, began + Duration::from_secs(3600)).unwrap();
        }
        addresses.take(one, began + Duration::from_secs(3600)).unwrap_err();
    }

    #[test]
    fn one_line_has_one_allowance() {
        let (addresses, now) = (Addresses::new(1), Instant::now());
        addresses.take(address("2001:db8:1:2::1"), now).unwrap();
        addresses.take(address("2001:db8:1:2:ffff::9"), now).unwrap_err();
        addresses.take(address("2001:db8:1:3::1"), now).unwrap();
        addresses.take(address("::ffff:192.0.2.1"), now).unwrap();
        addresses.take(address("192.0.2.1"), now).unwrap_err();
    }
}
