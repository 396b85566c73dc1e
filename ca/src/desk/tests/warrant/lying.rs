//! A signer that lies.

use super::*;

/// Signs something else than it is given.
struct Lying(Arc<dyn Signer>);

impl Signer for Lying {
    fn public(&self) -> &PublicKey {
        self.0.public()
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        self.0.sign(&to_be_signed[1..])
    }
}

#[test]
fn promise_23_what_is_not_durable_is_not_signed_and_a_signer_that_lies_is_found_out() {
    let world = World::new();
    let mut opened = Opened::open(world.config(), world.clock.clone()).unwrap();
    let name: TargetName = "db1.prod".parse().unwrap();
    let key = line("host");
    batch::alone(&mut opened.writer, |writer| writer.host(&name, &key)).unwrap();
    let durable = opened.writer.sync().unwrap();
    let size = opened.writer.state.size;
    let state = opened.writer.hall.state().clone();
    let certificate = state.certificates.values().next_back().unwrap();
    let intent = |size| crate::issue::Intent::again(certificate, size).unwrap();
    intent(size).logged(&durable).unwrap();
    let early = intent(size + 1).logged(&durable).unwrap_err();
    assert_eq!(
        early.to_string(),
        "the signed certificate does not hold: its log entry is not durable"
    );
    let signers: Signers = (*opened.writer.hall.signers()).clone();
    let lying = signers.map(|inner| Arc::new(Lying(inner)));
    let warranted = intent(size)
        .logged(&durable)
        .unwrap()
        .warranted(&state)
        .unwrap();
    let lie = warranted.sign(&lying, world.clock.wall()).unwrap_err();
    assert_eq!(
        lie.to_string(),
        "the signed certificate does not hold: its signer has signed something else"
    );
}
