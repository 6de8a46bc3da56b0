//! Signatures of webhooks: HMAC-SHA256 over `timestamp.body`, the time beside it.

use std::time::Duration;

use contracts::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::provider::SignatureError;

/// The header that holds `t=<unix seconds>,v1=<hex>`.
pub const SIGNATURE_HEADER: &str = "kontor-test-signature";

/// The header's value for a body sent at a time.
pub fn sign(secret: &str, at: Timestamp, body: &str) -> String {
    let seconds = at.micros().div_euclid(1_000_000);
    let tag = mac(secret, seconds, body).map(|mac| mac.finalize().into_bytes());
    format!("t={seconds},v1={}", tag.map(hex::encode).unwrap_or_default())
}

/// Checks a header's value, in constant time as to the secret.
///
/// # Errors
/// [`SignatureError`]: not signed, not of this time, or not with this secret over this body.
pub fn verify(
    secret: &str,
    header: &str,
    body: &str,
    now: Timestamp,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let mut seconds = None;
    let mut tag = None;
    for part in header.split(',') {
        match part.split_once('=') {
            Some(("t", text)) => seconds = text.parse::<i64>().ok(),
            Some(("v1", text)) => tag = hex::decode(text).ok(),
            Some(_) | None => return Err(SignatureError::Missing),
        }
    }
    let (Some(seconds), Some(tag)) = (seconds, tag) else { return Err(SignatureError::Missing) };
    let mac = mac(secret, seconds, body).ok_or(SignatureError::Wrong)?;
    mac.verify_slice(&tag).map_err(|_| SignatureError::Wrong)?;
    let at = Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    if now.since(at) > tolerance || at.since(now) > tolerance {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

fn mac(secret: &str, seconds: i64, body: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);
    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    #[test]
    fn what_the_provider_signed_is_believed_for_five_minutes() {
        let header = sign("secret", NOON, "{}");
        let later = |seconds| NOON.plus(Duration::from_secs(seconds));
        let check = |now| verify("secret", &header, "{}", now, FIVE_MINUTES);
        assert_eq!(check(later(300)), Ok(()));
        assert_eq!(check(later(301)), Err(SignatureError::Stale));
        assert_eq!(check(NOON.minus(Duration::from_secs(301))), Err(SignatureError::Stale));
    }

    #[test]
    fn a_changed_body_another_secret_or_no_signature_is_not_believed() {
        let header = sign("secret", NOON, "{}");
        let check = |secret, header: &str, body| verify(secret, header, body, NOON, FIVE_MINUTES);
        assert_eq!(check("secret", &header, "{ }"), Err(SignatureError::Wrong));
        assert_eq!(check("Secret", &header, "{}"), Err(SignatureError::Wrong));
        for missing in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz", "nonsense"] {
            assert_eq!(check("secret", missing, "{}"), Err(SignatureError::Missing), "{missing}");
        }
    }
}
