//! The rulesets that every server is built with.

use tiltyard_combat::load::load;

const SHIPPED: [(&str, &str); 1] = [("rules/default.toml", include_str!("../../rules/default.toml"))];

#[test]
fn they_load() {
    for (file, text) in SHIPPED {
        if let Err(problems) = load(text) {
            panic!("\n{}", problems.of_file(file));
        }
    }
}
