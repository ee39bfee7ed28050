//! Makes a route's conditions of their documents. It may not look at requests.

use super::document::ConditionDocument;
use crate::http1::syntax;
use crate::router::{Condition, Conditions, Pattern, ValueMatch};
use crate::snapshot::refusal::Refusal;
use crate::snapshot::{check, limits};

use super::document::RouteDocument;

/// The conditions of a route; none where it asks for nothing beside host and path.
pub(super) fn compile(document: &mut RouteDocument) -> Result<Option<Box<Conditions>>, Refusal> {
    let conditions = Conditions {
        methods: methods(document.methods.take().unwrap_or_default())?,
        headers: list("headers", document.headers.take(), true)?,
        query: list("query", document.query.take(), false)?,
        cookies: list("cookies", document.cookies.take(), false)?,
        client_addresses: check::networks(
            "client_addresses",
            document.client_addresses.as_deref().unwrap_or_default(),
        )?,
        sources: sources(document.sources.take().unwrap_or_default())?,
    };
    let count = conditions.headers.len() + conditions.query.len() + conditions.cookies.len();
    check::count("headers", count, limits::CONDITIONS)?;
    Ok((!conditions.is_empty()).then(|| Box::new(conditions)))
}

fn methods(methods: Vec<Box<str>>) -> Result<Vec<Box<str>>, Refusal> {
    check::count("methods", methods.len(), limits::METHODS)?;
    let bad = methods
        .iter()
        .position(|method| !syntax::is_token(method.as_bytes()));
    match bad {
        Some(at) => Err(Refusal::at(format!("methods[{at}]"), "is no method")),
        None => Ok(methods),
    }
}

fn sources(sources: Vec<Box<str>>) -> Result<Vec<Box<str>>, Refusal> {
    check::count("sources", sources.len(), limits::SOURCES)?;
    for (at, source) in sources.iter().enumerate() {
        check::name(format!("sources[{at}]"), source)?;
    }
    Ok(sources)
}

fn list(
    label: &str,
    documents: Option<Vec<ConditionDocument>>,
    are_headers: bool,
) -> Result<Vec<Condition>, Refusal> {
    let documents = documents.unwrap_or_default();
    check::count(label, documents.len(), limits::CONDITIONS)?;
    let conditions = documents.into_iter().enumerate().map(|(at, document)| {
        condition(document, are_headers).map_err(|fault| fault.under(&format!("{label}[{at}]")))
    });
    conditions.collect()
}

fn condition(document: ConditionDocument, is_header: bool) -> Result<Condition, Refusal> {
    check::name("name", &document.name)?;
    if is_header {
        header_name("name", &document.name)?;
    }
    Ok(Condition {
        value: value(&document)?,
        name: document.name,
        is_negated: document.negated,
    })
}

/// A field's name, in lower case: it is compared with what has any case.
pub(super) fn header_name(path: &str, name: &str) -> Result<(), Refusal> {
    if !syntax::is_token(name.as_bytes()) {
        return Err(Refusal::at(
            path,
            format!("`{name}` is no name of a header"),
        ));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Refusal::at(path, format!("`{name}` is not in lower case")));
    }
    Ok(())
}

fn value(document: &ConditionDocument) -> Result<ValueMatch, Refusal> {
    let texts = [
        ("exact", &document.exact),
        ("prefix", &document.prefix),
        ("suffix", &document.suffix),
        ("regex", &document.regex),
    ];
    let mut given = texts
        .iter()
        .filter_map(|(field, text)| Some((*field, text.as_deref()?)));
    match (given.next(), given.next(), document.present) {
        (None, None, Some(true)) => Ok(ValueMatch::Present),
        (Some((field, text)), None, None) => text_match(field, text),
        _ => Err(Refusal::at(
            "",
            "needs one of `exact`, `prefix`, `suffix`, `regex` and `present`: true",
        )),
    }
}

fn text_match(field: &str, text: &str) -> Result<ValueMatch, Refusal> {
    if text.len() > limits::VALUE_BYTES {
        let sentence = format!("is {} bytes long, over {}", text.len(), limits::VALUE_BYTES);
        return Err(Refusal::at(field, sentence));
    }
    match field {
        "exact" => Ok(ValueMatch::Exact(text.into())),
        "prefix" => Ok(ValueMatch::Prefix(text.into())),
        "suffix" => Ok(ValueMatch::Suffix(text.into())),
        _ => pattern("regex", text, Pattern::regex).map(ValueMatch::Regex),
    }
}

/// A pattern within its limits.
pub(super) fn pattern(
    path: &str,
    text: &str,
    compile: impl Fn(&str) -> Result<Pattern, String>,
) -> Result<Pattern, Refusal> {
    if text.is_empty() || text.len() > limits::PATTERN_BYTES {
        let sentence = format!("has to be 1 to {} bytes long", limits::PATTERN_BYTES);
        return Err(Refusal::at(path, sentence));
    }
    compile(text).map_err(|sentence| Refusal::at(path, sentence))
}
