//! What REST promises, one promise a file, each kept on both stores: a test `t` of a file is run as `sqlite::t` and as
//! `postgres::t`, against a server process and, for the latter, a database of its own.

/// Makes each of these tests twice. One that is left out is code that nobody uses, which the compiler tells.
macro_rules! on_both_stores {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::contract::case::Case::sqlite()).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::contract::case::Case::postgres().await).await;
                }
            )+
        }
    };
}

mod analytics;
mod auth;
mod authorisation;
pub mod case;
mod crud;
mod custom;
mod faults;
mod idempotency;
mod isolation;
mod listing;
mod logs;
mod outage;
mod player;
mod replays;
pub mod reply;
mod restart;
mod transitions;
mod values;
mod versions;
mod who_sees_what;
