//! The rulesets that every server is built with.

use tiltyard_combat::load::load;

const SHIPPED: [(&str, &str); 3] = [
    ("rules/default.toml", include_str!("../../rules/default.toml")),
    ("rules/duel.toml", include_str!("../../rules/duel.toml")),
    ("rules/arena-fast.toml", include_str!("../../rules/arena-fast.toml")),
];

#[test]
fn they_load() {
    for (file, text) in SHIPPED {
        if let Err(problems) = load(text) {
            panic!("\n{}", problems.of_file(file));
        }
    }
}
