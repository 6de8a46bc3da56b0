//! Values of the events as a request gives them: nothing in them may be unknown.
//!
//! An event may say more than this version knows, and is read all the same. A request may not: what
//! a client sends and nobody reads is a mistake, or an attack.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::events::{Address, ChosenMethod};
use crate::{Currency, Money};

/// Money in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MoneyInput(pub Money);

/// A postal address in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct AddressInput(pub Address);

/// A way to pay in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ChosenMethodInput(pub ChosenMethod);

// The fields of each again: the compiler holds them against the value's own.

#[derive(Deserialize)]
#[serde(remote = "Money", deny_unknown_fields)]
struct MoneyFields {
    amount_minor: i64,
    currency: Currency,
}

#[derive(Deserialize)]
#[serde(remote = "Address", deny_unknown_fields)]
struct AddressFields {
    name: String,
    #[serde(default)]
    company: Option<String>,
    street: String,
    #[serde(default)]
    extra: Option<String>,
    #[serde(default)]
    postal_code: String,
    city: String,
    #[serde(default)]
    region: Option<String>,
    country: String,
    #[serde(default)]
    phone: Option<String>,
}

#[derive(Deserialize)]
#[serde(remote = "ChosenMethod", deny_unknown_fields)]
struct ChosenMethodFields {
    code: String,
    #[serde(default)]
    token: Option<String>,
}

macro_rules! input {
    ($($input:ident of $value:ident by $fields:ident;)*) => {
        $(
            impl<'de> Deserialize<'de> for $input {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $fields::deserialize(deserializer).map(Self)
                }
            }
            impl PartialSchema for $input {
                fn schema() -> RefOr<Schema> {
                    closed($value::schema())
                }
            }
            impl ToSchema for $input {
                fn name() -> Cow<'static, str> {
                    stringify!($input).into()
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    $value::schemas(schemas);
                }
            }
        )*
    };
}

input! {
    MoneyInput of Money by MoneyFields;
    AddressInput of Address by AddressFields;
    ChosenMethodInput of ChosenMethod by ChosenMethodFields;
}

/// The schema with nothing allowed besides.
fn closed(mut schema: RefOr<Schema>) -> RefOr<Schema> {
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
    schema
}
