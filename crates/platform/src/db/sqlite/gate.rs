//! Who may touch which table: SQLite's authorizer, asked when a statement is prepared.
//!
//! A service reaches its own tables only. The kernel, which reads every outbox for the bus and
//! changes the schema, reaches all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use contracts::Source;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

type Owners = Arc<RwLock<BTreeMap<String, Source>>>;

/// The gate of one connection. All gates of an engine share what belongs to whom.
#[derive(Default, Clone)]
pub(super) struct Gate {
    owners: Owners,
    /// Whose turn it is: 0 for the kernel, else one more than the service's place in [`Source::ALL`].
    turn: Arc<AtomicUsize>,
}

/// As long as it lives, a connection acts for somebody; then for the kernel again.
pub(super) struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate for another connection to the same file.
    pub(super) fn for_connection(&self) -> Self {
        Self { owners: Arc::clone(&self.owners), turn: Arc::default() }
    }

    /// These tables belong to `source`.
    pub(super) fn admit(&self, source: Source, tables: Vec<String>) {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        owners.extend(tables.into_iter().map(|table| (table, source)));
    }

    pub(super) fn as_kernel(&self) -> Turn {
        self.turn.store(0, Ordering::Relaxed);
        Turn(Arc::clone(&self.turn))
    }

    pub(super) fn as_service(&self, source: Source) -> Turn {
        let place = Source::ALL.iter().position(|one| *one == source).unwrap_or(Source::ALL.len());
        self.turn.store(place + 1, Ordering::Relaxed);
        Turn(Arc::clone(&self.turn))
    }

    pub(super) fn authorizer(
        &self,
    ) -> impl for<'c> FnMut(AuthContext<'c>) -> Authorization + Send + 'static {
        let gate = self.clone();
        move |asked| {
            if gate.allows(&asked.action) { Authorization::Allow } else { Authorization::Deny }
        }
    }

    fn allows(&self, action: &AuthAction<'_>) -> bool {
        let Some(place) = self.turn.load(Ordering::Relaxed).checked_sub(1) else { return true };
        #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named is refused")]
        match action {
            AuthAction::Read { table_name, .. }
            | AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => {
                let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
                // A table nobody owns is a common table expression.
                let table = table_name.to_lowercase();
                owners.get(&table).is_none_or(|owner| Source::ALL.get(place) == Some(owner))
            }
            AuthAction::Select
            | AuthAction::Transaction { .. }
            | AuthAction::Function { .. }
            | AuthAction::Recursive => true,
            _ => false,
        }
    }
}
