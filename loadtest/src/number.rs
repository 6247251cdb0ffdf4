//! Numbers for people and for division.

use std::time::Duration;

/// As a float. Counts here stay far below 2^53, where that is exact.
#[allow(clippy::cast_precision_loss)]
pub fn float(value: u64) -> f64 {
    value as f64
}

/// Rounded to a whole number, for display.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A cast saturates, and nothing shown is negative.
pub fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// With a comma every three digits.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `count` per second over `time`; 0 over no time.
pub fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { float(count) / time.as_secs_f64() }
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{grouped, median, per_second, whole};

    #[test]
    fn digits_are_grouped_from_the_right() {
        let of = |values: [u64; 5]| values.map(grouped);
        assert_eq!(of([0, 999, 1_000, 504_658, 1_234_567_890]), ["0", "999", "1,000", "504,658", "1,234,567,890"]);
    }

    #[test]
    fn medians_of_odd_even_and_none() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn rates_over_no_time_are_zero() {
        assert_eq!(whole(per_second(400, Duration::from_secs(8))), 50);
        assert_eq!(whole(per_second(400, Duration::ZERO)), 0);
    }
}
