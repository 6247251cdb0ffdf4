//! A duel between two guests: start it twice with the address of a server, as in `cargo run --example fight http://127.0.0.1:8080`.

use std::time::Duration;

use tiltyard_client::{Connection, Error, Fight, Order, Rest, Told};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let base = std::env::args().nth(1);
    println!("{}", duel(base.as_deref().unwrap_or("http://127.0.0.1:8080")).await?);
    Ok(())
}

pub async fn duel(base: &str) -> Result<&'static str, Error> {
    let rest = Rest::new(base);
    let guest = rest.guest().await?;
    let seat = rest.take_seat(&guest.token, "duel").await?;
    let mut connection = Connection::new(rest.play(&guest, &seat));
    let fight = connection.join::<Fight>(seat.session_id);
    connection[fight].ready();

    let mut turns = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            told = connection.next() => match told {
                Some((_, Told::Status(status))) => println!("{status:?}"),
                Some((_, Told::Refused(refused))) => println!("not now: {}", refused.reason),
                Some((_, Told::Result(result))) if result.winner == Some(seat.slot) => return Ok("won"),
                Some((_, Told::Result(_))) | None => return Ok("lost"),
                Some(_) => {}
            },
            _ = turns.tick() => if let (true, Some(me)) = (connection[fight].is_on(), connection[fight].me()) {
                let step = Order::walk(me.x, me.y + 50);
                connection[fight].act(step).ok();
                connection[fight].act(Order::attack(1 - seat.slot)).ok();
            },
        }
    }
}
