//! Figure 15: answers of a cluster's DNS to whoever is on one of its nodes: `bench names ADDRESS`.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::print;

/// The API's own service, which every cluster has.
const NAME: &str = "kubernetes.default.svc.cluster.local";
const PORT: u16 = 53;

/// Questions that wait for their answers at the same time.
const SOCKETS: usize = 4;
const OPEN: u16 = 32;

/// A question that has waited this long is lost.
const LOST: Duration = Duration::from_millis(500);
const WARM_UP: Duration = Duration::from_secs(1);
const RUN: Duration = Duration::from_secs(5);

/// Asks, and prints the figure.
pub fn run(address: &str) -> Result<()> {
    let address: IpAddr = address.parse().with_context(|| format!("{address:?} is no address"))?;
    ask(address, WARM_UP)?;
    let rate = ask(address, RUN)?;
    let what = format!("DNS answers for a service, {} questions at a time", SOCKETS * usize::from(OPEN));
    print(15, &what, "/s", rate, true);
    Ok(())
}

/// Answers a second.
fn ask(address: IpAddr, long: Duration) -> Result<f64> {
    let begun = Instant::now();
    let answers: Result<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..SOCKETS).map(|_| scope.spawn(|| one(address, begun + long))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread panicked")))
            .collect()
    });
    Ok(answers?.iter().sum::<u64>() as f64 / begun.elapsed().as_secs_f64())
}

/// One socket's share: each answer is followed by another question.
fn one(address: IpAddr, end: Instant) -> Result<u64> {
    let any: IpAddr = if address.is_ipv4() { [0, 0, 0, 0].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((address, PORT))?;
    socket.set_read_timeout(Some(LOST))?;
    for id in 0..OPEN {
        socket.send(&question(id))?;
    }
    let (mut answers, mut lost, mut buffer) = (0, 0, [0; 512]);
    while Instant::now() < end {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let id = answered(&buffer[..length])?;
                answers += 1;
                socket.send(&question(id))?;
            }
            // All that were open are lost then: a queue was too short for them.
            Err(_) => {
                lost += 1;
                ensure!(lost < 5, "{address} answers nothing");
                for id in 0..OPEN {
                    socket.send(&question(id))?;
                }
            }
        }
    }
    Ok(answers)
}

/// RFC 1035, 4.1: a header with recursion desired, and one question for an A record.
fn question(id: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in NAME.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Which question it answers; anything but an address is an error.
fn answered(message: &[u8]) -> Result<u16> {
    let [first, second, _, code, _, _, high, low, ..] = message else { bail!("an answer without a header") };
    ensure!(code & 0xf == 0 && [*high, *low] != [0, 0], "{NAME} has no address: code {}", code & 0xf);
    Ok(u16::from_be_bytes([*first, *second]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_with_an_address_counts() {
        let mut message = question(513);
        assert_eq!(message.len(), 12 + NAME.len() + 2 + 4);
        assert!(answered(&message).is_err());
        message[7] = 1;
        assert_eq!(answered(&message).expect("an answer"), 513);
        message[3] |= 3;
        assert!(answered(&message).is_err());
        assert!(answered(&message[..7]).is_err());
    }
}
