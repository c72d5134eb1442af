//! Checks a SELECT's tree: translates the parser's tree into the types of `grammar`, or refuses it.
//!
//! Every field of the tree is listed here, so that this file does not compile if a later parser adds a field. What the check of tokens
//! refuses is refused here once more. So a mistake in one of the two checks lets nothing through.

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, ObjectName, ObjectNamePart, OrderBy, OrderByExpr, OrderByKind,
    OrderByOptions, Query, Select as SelectTree, SelectFlavor, SelectItem, SetExpr, TableFactor, TableWithJoins, Value,
    ValueWithSpan, WildcardAdditionalOptions,
};

use crate::condition::{column, condition};
use crate::grammar::{Ordering, Select, TableName};
use crate::unreadable::{Reason, Unreadable};

/// Translates a query of the parser.
pub fn select(query: Query) -> Result<Select, Unreadable> {
    let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } =
        query;
    refuse(with.is_some(), Reason::CommonTable, "WITH")?;
    refuse(fetch.is_some(), Reason::Limit, "FETCH")?;
    refuse(!locks.is_empty() || for_clause.is_some(), Reason::Locking, "FOR")?;
    refuse(settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty(), Reason::Word, "")?;
    let order = order_by.map(order).transpose()?.unwrap_or_default();
    let limit = limit_clause.map(limit).transpose()?.flatten();
    match *body {
        SetExpr::Select(select) => body_of(*select, order, limit),
        SetExpr::Query(_) => Err(Unreadable::new(Reason::Subquery, "")),
        SetExpr::SetOperation { op, .. } => Err(Unreadable::new(Reason::SetOperation, op)),
        SetExpr::Values(_) => Err(Unreadable::new(Reason::Statement, "VALUES")),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            Err(Unreadable::new(Reason::Statement, ""))
        }
        SetExpr::Table(_) => Err(Unreadable::new(Reason::Statement, "TABLE")),
    }
}

fn refuse(is_there: bool, reason: Reason, name: &str) -> Result<(), Unreadable> {
    if is_there { Err(Unreadable::new(reason, name)) } else { Ok(()) }
}

fn body_of(select: SelectTree, order: Vec<Ordering>, limit: Option<u64>) -> Result<Select, Unreadable> {
    let SelectTree {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    refuse(!optimizer_hints.is_empty(), Reason::Comment, "")?;
    refuse(distinct.is_some(), Reason::Grouping, "DISTINCT")?;
    refuse(top.is_some(), Reason::Limit, "TOP")?;
    refuse(into.is_some(), Reason::Into, "INTO")?;
    let is_grouped = match &group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(expressions, modifiers) => !expressions.is_empty() || !modifiers.is_empty(),
    };
    refuse(is_grouped || having.is_some(), Reason::Grouping, "GROUP BY")?;
    refuse(!named_window.is_empty() || qualify.is_some(), Reason::Grouping, "WINDOW")?;
    let is_foreign = select_modifiers.is_some()
        || exclude.is_some()
        || !lateral_views.is_empty()
        || prewhere.is_some()
        || !connect_by.is_empty()
        || !cluster_by.is_empty()
        || !distribute_by.is_empty()
        || !sort_by.is_empty()
        || value_table_mode.is_some()
        || !matches!(flavor, SelectFlavor::Standard);
    refuse(is_foreign, Reason::Word, "")?;
    let condition = selection.map(condition).transpose()?;
    Ok(Select { columns: columns(projection)?, table: table(from)?, condition, order, limit })
}

fn columns(projection: Vec<SelectItem>) -> Result<Vec<String>, Unreadable> {
    let is_alone = projection.len() == 1;
    let mut columns = Vec::with_capacity(projection.len());
    for item in projection {
        match item {
            SelectItem::UnnamedExpr(expression) => columns.push(column(expression)?),
            SelectItem::Wildcard(options) if is_alone => {
                all(options)?;
                return Ok(Vec::new());
            }
            SelectItem::Wildcard(_) => return Err(Unreadable::new(Reason::Expression, "*")),
            SelectItem::QualifiedWildcard(..) => return Err(Unreadable::new(Reason::Name, "*")),
            SelectItem::ExprWithAlias { alias, .. } => return Err(Unreadable::new(Reason::Alias, alias.value)),
            SelectItem::ExprWithAliases { .. } => return Err(Unreadable::new(Reason::Alias, "")),
        }
    }
    if columns.is_empty() { Err(Unreadable::new(Reason::Syntax, "SELECT")) } else { Ok(columns) }
}

fn all(options: WildcardAdditionalOptions) -> Result<(), Unreadable> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    refuse(opt_alias.is_some(), Reason::Alias, "*")?;
    let is_foreign = opt_ilike.is_some()
        || opt_exclude.is_some()
        || opt_except.is_some()
        || opt_replace.is_some()
        || opt_rename.is_some();
    refuse(is_foreign, Reason::Word, "*")
}

fn table(from: Vec<TableWithJoins>) -> Result<TableName, Unreadable> {
    let mut from = from.into_iter();
    let (Some(TableWithJoins { relation, joins }), None) = (from.next(), from.next()) else {
        return Err(Unreadable::new(Reason::Join, "FROM"));
    };
    refuse(!joins.is_empty(), Reason::Join, "JOIN")?;
    let (name, alias) = match relation {
        TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            refuse(args.is_some() || with_ordinality, Reason::Function, "FROM")?;
            let is_foreign = !with_hints.is_empty()
                || version.is_some()
                || !partitions.is_empty()
                || json_path.is_some()
                || sample.is_some()
                || !index_hints.is_empty();
            refuse(is_foreign, Reason::Word, "FROM")?;
            (name, alias)
        }
        TableFactor::Derived { .. } => return Err(Unreadable::new(Reason::Subquery, "FROM")),
        TableFactor::NestedJoin { .. } => return Err(Unreadable::new(Reason::Join, "FROM")),
        TableFactor::TableFunction { .. }
        | TableFactor::Function { .. }
        | TableFactor::UNNEST { .. }
        | TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::XmlTable { .. } => return Err(Unreadable::new(Reason::Function, "FROM")),
        TableFactor::Pivot { .. }
        | TableFactor::Unpivot { .. }
        | TableFactor::MatchRecognize { .. }
        | TableFactor::SemanticView { .. } => return Err(Unreadable::new(Reason::Word, "FROM")),
    };
    if let Some(alias) = alias {
        return Err(Unreadable::new(Reason::Alias, alias.name.value));
    }
    table_name(name)
}

fn table_name(ObjectName(parts): ObjectName) -> Result<TableName, Unreadable> {
    let mut names = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            ObjectNamePart::Identifier(Ident { value, quote_style: _, span: _ }) => names.push(value),
            ObjectNamePart::Function(_) => return Err(Unreadable::new(Reason::Function, "FROM")),
        }
    }
    match <[String; 2]>::try_from(names) {
        Ok([application, name]) => Ok(TableName { application: Some(application), name }),
        Err(mut names) => match (names.pop(), names.pop()) {
            (Some(name), None) => Ok(TableName { application: None, name }),
            (name, _) => Err(Unreadable::new(Reason::Name, name.unwrap_or_default())),
        },
    }
}

fn order(OrderBy { kind, interpolate }: OrderBy) -> Result<Vec<Ordering>, Unreadable> {
    refuse(interpolate.is_some(), Reason::Word, "INTERPOLATE")?;
    let OrderByKind::Expressions(expressions) = kind else {
        return Err(Unreadable::new(Reason::Word, "ALL"));
    };
    let ordering = |OrderByExpr { expr, options, with_fill }: OrderByExpr| {
        refuse(with_fill.is_some(), Reason::Word, "WITH FILL")?;
        let OrderByOptions { asc, nulls_first } = options;
        Ok(Ordering { column: column(expr)?, descending: asc == Some(false), nulls_first })
    };
    expressions.into_iter().map(ordering).collect()
}

fn limit(clause: LimitClause) -> Result<Option<u64>, Unreadable> {
    let LimitClause::LimitOffset { limit, offset, limit_by } = clause else {
        return Err(Unreadable::new(Reason::Limit, "LIMIT"));
    };
    refuse(offset.is_some() || !limit_by.is_empty(), Reason::Limit, "OFFSET")?;
    match limit {
        None => Ok(None),
        Some(Expr::Value(ValueWithSpan { value: Value::Number(digits, false), span: _ })) => {
            digits.parse().map(Some).map_err(|_no_whole_number| Unreadable::new(Reason::Limit, digits))
        }
        Some(_) => Err(Unreadable::new(Reason::Limit, "LIMIT")),
    }
}
