//! What a browser has to show for its cart and its orders: ids with the tokens that open them, in cookies.

use std::fmt;

use uuid::Uuid;

/// How many orders a browser keeps the tickets of.
const MOST_ORDERS: usize = 20;

/// An id and the token that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Of a cart or an order.
    pub id: String,
    /// What opens it.
    pub token: String,
}

/// Without the token: it opens what it names.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.id)
    }
}

impl Ticket {
    /// Reads one as [`Ticket::text`] writes it.
    pub fn read(text: &str) -> Option<Self> {
        let (id, token) = text.split_once('.')?;
        let id = Uuid::parse_str(id).ok()?.to_string();
        let is_token = token.len() <= 100
            && token.starts_with("kct_")
            && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_token.then(|| Self { id, token: token.to_owned() })
    }

    /// As a cookie has it.
    pub fn text(&self) -> String {
        format!("{}.{}", self.id, self.token)
    }
}

/// The tickets in a cookie, the newest first.
pub fn read_all(text: &str) -> Vec<Ticket> {
    text.split('~').filter_map(Ticket::read).take(MOST_ORDERS).collect()
}

/// The cookie of `tickets` with one more.
pub fn write_all(new: &Ticket, tickets: &[Ticket]) -> String {
    let others = tickets.iter().filter(|ticket| ticket.id != new.id);
    let all: Vec<String> =
        std::iter::once(new).chain(others).take(MOST_ORDERS).map(Ticket::text).collect();
    all.join("~")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(n: u128) -> Ticket {
        Ticket { id: Uuid::from_u128(n).to_string(), token: format!("kct_{n}") }
    }

    #[test]
    fn tickets_are_kept_newest_first_and_each_once() {
        let mut kept = Vec::new();
        for n in [1, 2, 3, 2] {
            kept = read_all(&write_all(&ticket(n), &kept));
        }
        assert_eq!(kept, [ticket(2), ticket(3), ticket(1)]);
        for n in 0..100 {
            kept = read_all(&write_all(&ticket(n), &kept));
        }
        assert_eq!((kept.len(), &kept[0]), (MOST_ORDERS, &ticket(99)));
    }

    #[test]
    fn what_is_no_ticket_is_passed_over() {
        for text in ["", ".", "x.kct_1", "00000000-0000-0000-0000-000000000001.other", "a~b"] {
            assert!(read_all(text).is_empty(), "{text}");
        }
        assert!(!format!("{:?}", ticket(1)).contains("kct_"));
    }
}
