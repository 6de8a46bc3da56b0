//! The number people use for an order: short enough to read out, and not a count of orders.

/// Digits and letters that are not mistaken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// An order number out of 60 random bits: `K-7Q3M-9TXA-B2C4`.
pub fn of(random: &[u8; 32]) -> String {
    let mut number = String::from("K");
    for (n, byte) in random.iter().take(12).enumerate() {
        if n % 4 == 0 {
            number.push('-');
        }
        number.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_can_be_read_out() {
        let random = std::array::from_fn(|n| u8::try_from(n * 37 % 256).unwrap());
        assert_eq!(of(&random), "K-05AF-MSY3-8DJQ");
        assert_ne!(of(&[0; 32]), of(&[1; 32]));
    }
}
