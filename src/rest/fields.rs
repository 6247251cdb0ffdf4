//! Reading a JSON body field by field, gathering every fault instead of stopping at the first.

use std::collections::HashSet;

use uuid::Uuid;

use super::error::{ApiError, FieldError};
use crate::json::{Json, Members};
use crate::limits;
use crate::records::keys::hash;
use crate::session::parse_uuid;

/// A JSON object being read. Names the contract does not have are ignored, but for those that only the server gives.
#[derive(Debug, Default)]
pub struct Fields {
    path: String,
    members: Members,
    faults: Vec<FieldError>,
}

/// What is said of a number that is too large: the others keep all their digits, this one would be none at most clients.
pub const BEYOND_DOUBLES: &str = "must be a number below 1.8e308, which is where those end that clients can read";

/// Names a body never has unless it reads them: what they would say is not the caller's to say.
const RESERVED: [&str; 8] = ["id", "session_id", "owner", "epoch", "version", "node", "creator", "created_at"];

impl Fields {
    /// The members of a body.
    pub fn of(body: impl Into<Json>) -> Result<Self, ApiError> {
        match body.into() {
            Json::Object(members) => Ok(Self { path: String::new(), members, faults: Vec::new() }),
            _ => Err(ApiError::field("body", "must be an object")),
        }
    }

    /// A string that `parse` takes; `expected` says what it must be.
    pub fn text<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.members.remove(name)?;
        let parsed = value.as_str().and_then(parse);
        if parsed.is_none() {
            self.fault(name, format!("must be {expected}"));
        }
        parsed
    }

    /// A uuid.
    pub fn uuid(&mut self, name: &str) -> Option<Uuid> {
        self.text(name, "a uuid", parse_uuid)
    }

    /// A whole number from `min` to `max`.
    pub fn whole(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        let value = self.members.remove(name)?;
        let number = value.as_u64().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.fault(name, format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    /// A whole number of centimetres.
    pub fn coordinate(&mut self, name: &str) -> Option<i32> {
        let value = self.members.remove(name)?;
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        if number.is_none() {
            self.fault(name, "must be a whole number of centimetres");
        }
        number
    }

    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.members.remove(name)?;
        let truth = value.as_bool();
        if truth.is_none() {
            self.fault(name, "must be true or false");
        }
        truth
    }

    pub fn array(&mut self, name: &str) -> Option<Vec<Json>> {
        match self.members.remove(name)? {
            Json::List(items) => Some(items),
            _ => self.bad(name, "must be an array"),
        }
    }

    pub fn object(&mut self, name: &str) -> Option<Members> {
        match self.members.remove(name)? {
            Json::Object(members) => Some(members),
            _ => self.bad(name, "must be an object"),
        }
    }

    /// A free JSON object as text: what RFC 7396 makes of it as a patch of nothing. A member that is null is left out; what
    /// stands in a list stays, nulls and all.
    pub fn document(&mut self, name: &str) -> Option<Box<str>> {
        let members = self.object(name)?;
        self.kept(name, members)
    }

    /// [`Fields::document`] of an object that has been read.
    pub fn kept(&mut self, name: &str, members: Members) -> Option<Box<str>> {
        let mut document = Json::EMPTY;
        document.merge(Json::Object(members));
        let too_large = document.beyond_doubles(name);
        if !too_large.is_empty() {
            for path in too_large {
                self.fault(&path, BEYOND_DOUBLES);
            }
            return None;
        }
        let text = document.to_text();
        if text.len() > limits::DOCUMENT_BYTES {
            return self.bad(name, format!("must not have more than {} bytes", limits::DOCUMENT_BYTES));
        }
        Some(text.into())
    }

    /// A list of distinct uuids, at most `max` and at least `min`.
    pub fn uuids(&mut self, name: &str, min: usize, max: usize) -> Option<Vec<Uuid>> {
        let items = self.array(name)?;
        let fits = (min..=max).contains(&items.len());
        if !fits {
            self.fault(name, format!("must have from {min} to {max} items"));
        }
        let mut ids = Vec::with_capacity(items.len());
        let mut seen = HashSet::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().and_then(parse_uuid) {
                None => self.fault(&format!("{name}[{index}]"), "must be a uuid"),
                Some(id) if !seen.insert(id) => self.fault(&format!("{name}[{index}]"), "is in the list already"),
                Some(id) => ids.push(id),
            }
        }
        // Faults of items are faults of the body: what is returned here is then never used.
        fits.then_some(ids)
    }

    /// A hash of the body as it was given.
    pub fn fingerprint(&self) -> [u8; 16] {
        hash(&[&Json::Object(self.members.clone()).to_text()])
    }

    /// The members of a free object inside a body, to be read in the same way and handed to [`Fields::absorb`]. A member that is null
    /// is not there: neither is it kept.
    pub fn inside(path: &str, mut members: Members) -> Self {
        leave_out_nulls(&mut members);
        Self { path: path.to_owned(), members, faults: Vec::new() }
    }

    /// Takes over the faults of a nested object.
    pub fn absorb(&mut self, nested: Self) {
        self.faults.extend(nested.faults);
    }

    /// Whether a field of this name has not been read yet.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Notes a fault.
    pub fn fault(&mut self, name: &str, message: impl Into<String>) {
        let field = self.full(name);
        self.faults.push(FieldError { field, message: message.into() });
    }

    /// Notes a fault, and that there is no value because of it.
    pub fn bad<T>(&mut self, name: &str, message: impl Into<String>) -> Option<T> {
        self.fault(name, message);
        None
    }

    /// Notes that a field which must be there is missing, unless something is wrong with it already.
    pub fn need<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        let field = self.full(name);
        if value.is_none() && !self.faults.iter().any(|fault| fault.field == field) {
            self.faults.push(FieldError { field, message: "is needed".to_owned() });
        }
        value
    }

    /// Ends the reading: every fault at once, or the values' turn.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for name in RESERVED {
            if self.has(name) {
                self.fault(name, "is not the caller's to give");
            }
        }
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// What is null in a free object is as if it were not there, also where the server knows its name.
pub fn leave_out_nulls(members: &mut Members) {
    members.retain(|_, member| *member != Json::Null);
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::json::Json;
    use axum::response::IntoResponse;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    fn faults(fields: Fields) -> Vec<String> {
        let response = fields.finish().unwrap_err().into_response();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let faults = body["details"]["validation_errors"].as_array().unwrap();
        faults.iter().map(|fault| format!("{} {}", fault["field"], fault["message"]).replace('"', "")).collect()
    }

    #[test]
    fn every_fault_is_named_once() {
        let mut fields = Fields::of(json!({"a": 1, "b": null, "c": {"d": 1.5}, "epoch": 3, "unheard": 1})).unwrap();
        let a = fields.uuid("a");
        assert_eq!(fields.need("a", a), None);
        let gone = fields.boolean("gone");
        fields.need("gone", gone);
        assert_eq!(fields.boolean("b"), None);
        let mut c = Fields::inside("c", fields.object("c").unwrap());
        assert_eq!(c.whole("d", 1, 2), None);
        fields.absorb(c);
        assert_eq!(
            faults(fields),
            [
                "a must be a uuid",
                "gone is needed",
                "b must be true or false",
                "c.d must be a whole number from 1 to 2",
                "epoch is not the caller's to give"
            ]
        );
    }

    #[test]
    fn a_body_is_an_object() {
        for body in [json!([]), json!(1), json!("x"), json!(null)] {
            assert!(Fields::of(body).is_err());
        }
        assert!(Fields::of(json!({})).unwrap().finish().is_ok());
    }

    #[test]
    fn a_null_is_a_fault_of_a_body_and_nothing_in_a_free_object() {
        let mut fields = Fields::of(json!({"a": null, "free": {"a": null, "b": [null], "c": {"d": null}}})).unwrap();
        assert_eq!(fields.whole("a", 0, 1), None);
        let mut free = Fields::inside("free", fields.object("free").unwrap());
        assert!(!free.has("a") && free.whole("a", 1, 2).is_none());
        assert_eq!(free.uuids("b", 0, 1), Some(vec![]), "a list keeps its own");
        let mut c = Fields::inside("free.c", free.object("c").unwrap());
        let d = c.boolean("d");
        c.need("d", d);
        free.absorb(c);
        fields.absorb(free);
        let expected = ["a must be a whole number from 0 to 1", "free.b[0] must be a uuid", "free.c.d is needed"];
        assert_eq!(faults(fields), expected);
    }

    fn kept(text: &str) -> Option<Box<str>> {
        Fields::of(Json::parse(format!(r#"{{"free":{text}}}"#).as_bytes()).unwrap()).unwrap().document("free")
    }

    #[test]
    fn of_nulls_only_members_are_left_out() {
        let given = r#"{"a":null,"b":{"c":null,"d":[null,1,{"e":null}],"f":{"g":null}},"h":[[null]]}"#;
        assert_eq!(kept(given).as_deref(), Some(r#"{"b":{"d":[null,1,{"e":null}],"f":{}},"h":[[null]]}"#));
    }

    #[test]
    fn numbers_stay_as_they_are_or_are_named() {
        for number in ["117.63331139400017", "18446744073709551616", "-0", "-0.0", "1.50", "1E5", "1e-400", "1e308"] {
            let text = format!(r#"{{"n":[{number}]}}"#);
            assert_eq!(kept(&text).as_deref(), Some(text.as_str()));
        }
        let body = Json::parse(br#"{"free":{"a":1e5,"b":[0,{"c":-1e309}],"d":2e308}}"#).unwrap();
        let mut fields = Fields::of(body).unwrap();
        assert_eq!(fields.document("free"), None);
        let faults = faults(fields);
        let named: Vec<&str> = faults.iter().map(|fault| fault.split(' ').next().unwrap()).collect();
        assert_eq!(named, ["free.b[1].c", "free.d"]);
    }
}
