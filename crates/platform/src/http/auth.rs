//! Who asks: nobody in particular, a shopper holding a cart's or order's token, or a named member
//! of staff.
//!
//! Tokens are told apart by their prefix and kept as hashes. Headers that claim an identity
//! (`X-User-Id` and such) are never looked at.

use std::fmt;

use axum::extract::FromRequestParts;
use contracts::Actor;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::context::Arrival;
use super::problem::Problem;
use crate::ids::Ids;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody said.
    Anonymous,
    /// Somebody with the token of a cart or order. Whether it is the right one, the row knows.
    Guest {
        /// The SHA-256 of the whole token, in hex.
        token_hash: String,
    },
    /// A member of staff.
    Staff {
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
    },
}

/// What a member of staff may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Orders, refunds and talking to customers.
    Support,
    /// Stock and parcels.
    Warehouse,
    /// Products and prices.
    Catalogue,
}

impl Role {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Support => "support",
            Self::Warehouse => "warehouse",
            Self::Catalogue => "catalogue",
        }
    }
}

/// A member of staff, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffEntry {
    /// Their name, as it appears in the timelines of orders.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The SHA-256 of their token (`kst_...`), in hex.
    pub token_sha256: TokenHash,
}

/// The SHA-256 of a token.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of this token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// In a time that does not tell where two hashes differ.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        let differences = self.0.iter().zip(&other.0).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differences) == 0
    }
}
impl Eq for TokenHash {}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}
impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text.trim(), &mut hash).map_err(|_| {
            serde::de::Error::custom("a token's hash is its SHA-256, written as 64 hex digits")
        })?;
        Ok(Self(hash))
    }
}

/// A new token for the holder of a cart, and its hash. The token is told once and never stored.
pub fn new_guest_token(ids: &Ids) -> (String, String) {
    let token = format!("kct_{}", hex::encode(ids.secret()));
    let hash = TokenHash::of(&token).to_string();
    (token, hash)
}

/// A new token for a member of staff, and its hash, which goes into the configuration.
pub fn new_staff_token(ids: &Ids) -> (String, TokenHash) {
    let token = format!("kst_{}", hex::encode(ids.secret()));
    let hash = TokenHash::of(&token);
    (token, hash)
}

impl Principal {
    /// On whose behalf a command of theirs is.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Anonymous | Self::Guest { .. } => Actor::Customer,
            Self::Staff { name, .. } => Actor::Staff(name.clone()),
        }
    }

    /// The hash of the guest's token, if it is a guest.
    pub fn guest_token_hash(&self) -> Option<&str> {
        match self {
            Self::Guest { token_hash } => Some(token_hash),
            Self::Anonymous | Self::Staff { .. } => None,
        }
    }

    /// The member of staff, if it is one who may act as one of `roles`. Admins may.
    pub fn staff(&self, roles: &[Role]) -> Option<&str> {
        match self {
            Self::Staff { name, role } if *role == Role::Admin || roles.contains(role) => {
                Some(name)
            }
            Self::Anonymous | Self::Guest { .. } | Self::Staff { .. } => None,
        }
    }

    /// Something that keeps two principals apart, for the scope of an idempotency key.
    pub fn scope(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Guest { token_hash } => format!("guest:{token_hash}"),
            Self::Staff { name, .. } => format!("staff:{name}"),
        }
    }

    fn from_parts(parts: &Parts) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
        let Some(first) = given.next() else { return Ok(Self::Anonymous) };
        if given.next().is_some() {
            return Err(Problem::malformed("There are two Authorization headers."));
        }
        let token = first.to_str().ok().and_then(bearer).ok_or_else(token_invalid)?;
        if token.starts_with("kct_") {
            return Ok(Self::Guest { token_hash: TokenHash::of(token).to_string() });
        }
        if !token.starts_with("kst_") {
            return Err(token_invalid());
        }
        let hash = TokenHash::of(token);
        // Every entry is compared, so that the time does not tell which one it was.
        let found =
            Arrival::of(&parts.extensions)?.http.staff().iter().fold(None, |found, entry| {
                if entry.token_sha256 == hash { Some(entry) } else { found }
            });
        found
            .map(|entry| Self::Staff { name: entry.name.clone(), role: entry.role })
            .ok_or_else(token_invalid)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_parts(parts)
    }
}

/// A member of staff; others are refused: 401 `unauthenticated` or 403 `forbidden`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Staff {
    /// Goes on only if they may act as one of `roles`. Admins may.
    ///
    /// # Errors
    /// 403 `forbidden`.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if self.role == Role::Admin || roles.contains(&self.role) {
            Ok(())
        } else {
            Err(forbidden(roles))
        }
    }

    /// On whose behalf a command of theirs is.
    pub fn actor(&self) -> Actor {
        Actor::Staff(self.name.clone())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Principal::from_parts(parts)? {
            Principal::Staff { name, role } => Ok(Self { name, role }),
            Principal::Guest { .. } => Err(forbidden(&[])),
            Principal::Anonymous => Err(unauthenticated()),
        }
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let token = token.trim_start();
    let well_formed = (8..=256).contains(&token.len()) && token.bytes().all(plain);
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
}

/// 401: this needs a token.
pub fn unauthenticated() -> Problem {
    challenge("unauthenticated", "This needs a token.")
}

/// 403: the token is good, and not for this. `roles` are those that may, beside admins; none where
/// any staff may, or admins only.
pub fn forbidden(roles: &[Role]) -> Problem {
    let may: String = roles.iter().map(|role| format!("{}, ", role.name())).collect();
    let detail = match roles {
        [] => "You may not do this.".to_owned(),
        _ => format!("This is for staff with one of these roles: {may}admin."),
    };
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

fn token_invalid() -> Problem {
    challenge("token-invalid", "The token is not one of ours, or no longer.")
}

fn challenge(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_one_plain_token() {
        for bad in [
            "kst_12345678",
            "Basic kst_12345678",
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer kst_\u{e4}",
            "Bearer x",
        ] {
            assert_eq!(bearer(bad), None, "{bad}");
        }
        assert_eq!(bearer(&format!("Bearer {}", "x".repeat(300))), None);
        assert_eq!(bearer("bearer kst_12345678"), Some("kst_12345678"));
    }

    #[test]
    fn an_admin_may_what_every_role_may_and_a_packer_only_what_packers_may() {
        let staff = |role| Staff { name: "anna".into(), role };
        assert!(staff(Role::Admin).require(&[Role::Warehouse]).is_ok());
        assert!(staff(Role::Warehouse).require(&[Role::Support, Role::Warehouse]).is_ok());
        let refused = staff(Role::Warehouse).require(&[Role::Support]).unwrap_err();
        assert_eq!(refused.code(), "forbidden");
        assert!(refused.detail().contains("roles: support, admin."), "{refused:?}");
        assert_eq!(staff(Role::Support).require(&[]).unwrap_err().code(), "forbidden");
    }

    #[test]
    fn hashes_are_equal_only_when_all_of_them_is() {
        let hash = TokenHash::of("kst_anna");
        for byte in [0, 15, 31] {
            let mut other = hash;
            other.0[byte] ^= 1;
            assert!(other != hash);
        }
        assert!(hash == TokenHash::of("kst_anna"));
    }
}
