//! The people: shoppers, each with a mind of their own, and the staff. They see what the API shows
//! them; only the staff's next task is looked up in the books.

mod shopper;
mod staff;

use crate::chance::Chance;
use crate::plan::Plan;

pub use shopper::{Heard, Shopper, UNITS};
pub use staff::{ADMIN, Mood, Staff};

/// Everybody.
#[derive(Debug)]
pub struct People {
    /// Who buys.
    pub shoppers: Vec<Shopper>,
    /// Who works here.
    pub staff: Staff,
}

impl People {
    /// The people of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut chance = Chance::of(plan.seed, 4);
        let shoppers = (0..plan.shoppers).map(|n| Shopper::new(n, &mut chance)).collect();
        Self { shoppers, staff: Staff::default() }
    }

    /// The shop is gone in the middle of whatever was asked: nobody gets an answer.
    pub fn cut_off(&mut self) {
        for shopper in &mut self.shoppers {
            shopper.cut_off();
        }
        self.staff.cut_off();
    }
}
