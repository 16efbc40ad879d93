//! What the functions cost.

use super::{Estimate, Inner, Part, Range, below};
use crate::declarations::Overload;
use crate::syntax::{Expr, operator};
use crate::types::Type;

/// Looking at text costs a tenth of its length.
const TRAVERSAL: f64 = 0.1;

/// An expression within a pattern is taken to be four characters long.
const PATTERN: f64 = 0.25;

/// What a call costs beyond its arguments, and how large its result is, where that is known.
struct Call {
    cost: Range,
    size: Option<Range>,
}

impl From<Range> for Call {
    fn from(cost: Range) -> Call {
        Call { cost, size: None }
    }
}

impl Estimate<'_> {
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        function: &str,
        target: Option<&Expr>,
        arguments: &[Expr],
    ) -> Range {
        if let ("dyn", [argument]) = (function, arguments) {
            let cost = self.cost(argument).and(Range::fixed(1));
            let size = self.size(argument);
            self.set_size(expr, size);
            if let Some(inner) = self.inner(argument) {
                self.inner.insert(expr.id, inner);
            }
            return cost;
        }
        let costs: Vec<Range> = arguments.iter().map(|argument| self.cost(argument)).collect();
        let sum = costs.iter().fold(Range::fixed(0), |sum, cost| sum.and(*cost));
        match function {
            // The terms behind one that decides are left out.
            operator::AND | operator::OR => {
                self.set_size(expr, Some(Range::fixed(1)));
                return Range::new(costs.first().map_or(0, |first| first.min), sum.max);
            }
            operator::CONDITIONAL => return self.conditional(expr, arguments, &costs),
            _ => {}
        }
        let before = target.map_or(Range::fixed(0), |target| self.cost(target));
        let target = target.map(|target| self.part(target));
        let parts: Vec<Part<'_>> = arguments.iter().map(|argument| self.part(argument)).collect();
        let (mut cost, mut size) = (Range::EMPTY, None::<Range>);
        for overload in self.checked.overloads(expr) {
            let call = self.overload(expr, function, overload, target.as_ref(), &parts);
            cost = cost.or(call.cost.and(sum));
            size = match (size, call.size) {
                (Some(size), Some(more)) => Some(size.or(more)),
                (size, more) => size.or(more),
            };
            if let (operator::INDEX, Some(container)) = (function, arguments.first()) {
                size = self.inner(container).map(|inner| inner.value);
                let step = if matches!(overload.arguments.first(), Some(Type::List(_))) {
                    "@items"
                } else {
                    "@values"
                };
                if matches!(overload.arguments.first(), Some(Type::List(_) | Type::Map(..))) {
                    let path = below(self.path(container), step);
                    self.paths.insert(expr.id, path);
                }
            }
            if size.is_none() {
                size = self.size(expr);
            }
        }
        self.set_size(expr, size);
        before.and(cost)
    }

    fn part<'e>(&mut self, expr: &'e Expr) -> Part<'e> {
        let size = self.size_or_unknown(expr);
        Part { expr, of: self.checked.of(expr).clone(), path: self.path(expr).to_vec(), size }
    }

    fn conditional(&mut self, expr: &Expr, arguments: &[Expr], costs: &[Range]) -> Range {
        let ([_, then, otherwise], [condition, one, other]) = (arguments, costs) else {
            return Range::UNKNOWN;
        };
        let size = self.size_or_unknown(then).or(self.size_or_unknown(otherwise));
        self.set_size(expr, Some(size));
        self.join(expr, then, otherwise);
        condition.and(one.or(*other))
    }

    /// What is in either of two containers may be in the whole.
    fn join(&mut self, expr: &Expr, one: &Expr, other: &Expr) {
        if let (Some(one), Some(other)) = (self.inner(one), self.inner(other)) {
            let inner =
                Inner { list: one.list, key: one.key.or(other.key), value: one.value.or(other.value) };
            self.inner.insert(expr.id, inner);
        }
    }

    fn overload(
        &mut self,
        expr: &Expr,
        function: &str,
        overload: &Overload,
        target: Option<&Part<'_>>,
        arguments: &[Part<'_>],
    ) -> Call {
        let known = match target {
            Some(target) => self.member(function, overload, target, arguments),
            None => global(function, overload, arguments),
        };
        if let ("_+_", [Type::List(_), _], [one, other]) =
            (function, overload.arguments.as_slice(), arguments)
        {
            self.join(expr, one.expr, other.expr);
        }
        known.unwrap_or_else(|| Range::fixed(1).into())
    }

    fn member(
        &mut self,
        function: &str,
        overload: &Overload,
        target: &Part<'_>,
        arguments: &[Part<'_>],
    ) -> Option<Call> {
        let size = target.size;
        let text = size.scaled(TRAVERSAL);
        let is_list = matches!(overload.target, Some(Type::List(_)));
        Some(match (function, arguments) {
            ("check", _) => Range::fixed(350_000).into(),
            ("fieldSelector" | "labelSelector", [selector]) => {
                let requirements = selector.size.scaled(0.5).scaled(50.0);
                Range::fixed(10).and(selector.size.scaled(TRAVERSAL)).and(requirements).into()
            }
            ("isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf", _) => {
                match element(&target.of) {
                    Some(of) => {
                        let mut each = Range::fixed(1);
                        if matches!(of, Type::String | Type::Bytes) {
                            each = each.and(self.elements(target).scaled(TRAVERSAL));
                        }
                        size.times(each).into()
                    }
                    None => text.into(),
                }
            }
            ("lowerAscii" | "upperAscii" | "substring" | "trim", _) => Call { cost: text, size: Some(size) },
            ("replace", [from, to, ..]) => {
                Call { cost: size.scaled(2.0 * TRAVERSAL), size: Some(replaced(size, from.size, to.size)) }
            }
            ("split", _) => {
                let most = arguments.get(1).and_then(Part::number).unwrap_or(size.max);
                Call { cost: size.scaled(2.0 * TRAVERSAL), size: Some(Range::new(0, most)) }
            }
            ("join", _) => {
                let mut whole = Range::fixed(0);
                if element(&target.of).is_some() {
                    whole = size.times(self.elements(target));
                }
                if let [separator, ..] = arguments {
                    let between = Range::new(size.min.saturating_sub(1), size.max.saturating_sub(1));
                    whole = whole.and(separator.size.times(between));
                }
                Call { cost: whole.scaled(TRAVERSAL), size: Some(whole) }
            }
            ("find" | "findAll" | "matches", [pattern, ..]) => {
                let cost = size.and(Range::fixed(1)).scaled(TRAVERSAL).times(pattern.size.scaled(PATTERN));
                Call { cost, size: (function != "matches").then_some(Range::new(0, size.max)) }
            }
            ("contains", [part]) => text.times(part.size.scaled(TRAVERSAL)).into(),
            ("startsWith" | "endsWith", [part]) => part.size.scaled(TRAVERSAL).into(),
            ("format", _) => text.into(),
            ("validate", [text]) => text.size.scaled(TRAVERSAL).scaled(128.0 * PATTERN).into(),
            ("containsIP" | "containsCIDR", [other]) => {
                let address = Range::new(4, 16);
                let mut cost = address.and(address).scaled(TRAVERSAL);
                if function == "containsCIDR" {
                    cost = cost.and(address.scaled(TRAVERSAL)).and(Range::fixed(1));
                }
                if matches!(overload.arguments.first(), Some(Type::String)) {
                    cost = cost.and(other.size.scaled(TRAVERSAL));
                }
                cost.into()
            }
            ("slice", [start, end]) => {
                let end = end.number().unwrap_or(size.max);
                allocated(1.0, Range::fixed(end.wrapping_sub(start.number().unwrap_or(0))))
            }
            ("flatten", _) => {
                let depth = arguments.first().map_or(1, |depth| depth.number().unwrap_or(u64::MAX));
                #[allow(clippy::cast_precision_loss, reason = "as cel-go does")]
                allocated(depth as f64, size)
            }
            ("reverse", _) if is_list => allocated(1.0, size),
            ("distinct", _) => allocated(2.0, size.times(size)),
            ("sort", _) => {
                let text = matches!(element(&target.of), Some(Type::String | Type::Bytes));
                allocated(if text { 2.0 + TRAVERSAL } else { 2.0 }, size.times(size))
            }
            _ => return None,
        })
    }

    /// How large the elements of a list are, by the schema.
    fn elements(&self, list: &Part<'_>) -> Range {
        if list.path.is_empty() {
            return Range::UNKNOWN;
        }
        let most = self.sizes.largest(&below(&list.path, "@items"));
        most.map_or(Range::UNKNOWN, |most| Range::new(0, most))
    }
}

/// What is in a container whose content has a type.
fn element(of: &Type) -> Option<&Type> {
    match of {
        Type::List(element) | Type::Optional(element) | Type::Map(element, _) => Some(element),
        _ => None,
    }
}

fn allocated(factor: f64, size: Range) -> Call {
    Call { cost: size.scaled(factor).and(Range::fixed(11)), size: Some(size) }
}

/// How long a text is in which all that is found is replaced.
fn replaced(size: Range, from: Range, to: Range) -> Range {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as upstream does"
    )]
    let times = |whole: u64, part: u64| (whole as f64 / part as f64).ceil() as u64;
    let (mut count, mut kept) = (Range::fixed(0), Range::fixed(0));
    if from.min == 0 {
        // Nothing is found around every character.
        (count.max, kept.max) = (size.max.saturating_add(1), size.max);
    } else if to.max <= from.min {
        kept.max = size.max;
    } else {
        count.max = times(size.max, from.min);
    }
    if from.max == 0 {
        (count.min, kept.min) = (size.min.saturating_add(1), size.min);
    } else if from.max <= to.min {
        kept.min = size.min;
    } else {
        count.min = times(size.min, from.max);
    }
    count.times(to).and(kept)
}

fn global(function: &str, overload: &Overload, arguments: &[Part<'_>]) -> Option<Call> {
    let takes = |of: &Type| overload.arguments.first() == Some(of);
    Some(match (function, arguments) {
        ("url" | "jsonpatch.escapeKey", [text]) => {
            Call { cost: text.size.scaled(TRAVERSAL), size: Some(text.size) }
        }
        (
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver",
            [text, ..],
        ) => text.size.scaled(TRAVERSAL).into(),
        ("ip.isCanonical", [text]) => text.size.scaled(2.0 * TRAVERSAL).into(),
        ("bytes", [text]) if takes(&Type::String) => {
            let size = Range::new(text.size.min, text.size.max.wrapping_mul(4));
            Call { cost: text.size.scaled(TRAVERSAL), size: Some(size) }
        }
        ("string", [bytes]) if takes(&Type::Bytes) => {
            let size = Range::new(bytes.size.min / 4, bytes.size.max);
            Call { cost: bytes.size.scaled(TRAVERSAL), size: Some(size) }
        }
        ("strings.quote", [text]) => {
            let size = Range::new(text.size.min + 2, text.size.max.wrapping_mul(2).wrapping_add(2));
            Call { cost: text.size.scaled(TRAVERSAL), size: Some(size) }
        }
        (operator::IN, [_, list]) if matches!(overload.arguments.get(1), Some(Type::List(_))) => {
            list.size.into()
        }
        ("matches", [text, pattern]) => {
            let text = text.size.and(Range::fixed(1)).scaled(TRAVERSAL);
            text.times(pattern.size.scaled(PATTERN)).into()
        }
        ("_+_", [one, other]) if takes(&Type::String) || takes(&Type::Bytes) => {
            let size = one.size.and(other.size);
            Call { cost: size.scaled(TRAVERSAL), size: Some(size) }
        }
        ("_+_", [one, other]) if matches!(overload.arguments.first(), Some(Type::List(_))) => {
            Call { cost: Range::fixed(1), size: Some(one.size.and(other.size)) }
        }
        ("_==_", [one, other]) if one.of == other.of && matches!(one.of, Type::Opaque(_)) => match &one.of {
            Type::Opaque("kubernetes.NamedFormat") => Range::new(1, 64).scaled(TRAVERSAL).into(),
            Type::Opaque("kubernetes.URL") => Range::new(1, other.size.max).scaled(TRAVERSAL).into(),
            _ => Range::fixed(1).into(),
        },
        ("_==_" | "_!=_", [one, other]) => compared(one, other),
        ("_<_" | "_<=_" | "_>_" | "_>=_", [one, other]) if takes(&Type::String) || takes(&Type::Bytes) => {
            compared(one, other)
        }
        ("sets.contains" | "sets.intersects", [one, other]) => {
            one.size.times(other.size).and(Range::fixed(1)).into()
        }
        ("sets.equivalent", [one, other]) => {
            one.size.times(other.size).scaled(2.0).and(Range::fixed(1)).into()
        }
        ("lists.range", [end]) => allocated(1.0, Range::fixed(end.number().unwrap_or(u64::MAX))),
        _ => return None,
    })
}

/// As far as the smaller of both goes.
fn compared(one: &Part<'_>, other: &Part<'_>) -> Call {
    let most = one.size.max.min(other.size.max);
    Range::new(most.min(1), most).scaled(TRAVERSAL).into()
}
