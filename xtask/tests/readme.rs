//! What the README says of the library is what the library says of itself.

use catamaran::defaults::TABLE;

const README: &str = include_str!("../../README.md");

#[test]
fn the_defaults_are_the_librarys() {
    let cells = |line: &str| line.split('|').skip(1).take(3).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let table = README.lines().skip_while(|line| !line.starts_with("| setting | default | meaning |")).skip(2);
    let told: Vec<_> = table.take_while(|line| line.starts_with('|')).map(cells).collect();
    let meant: Vec<_> = TABLE
        .iter()
        .map(|setting| vec![format!("`{}`", setting.name), setting.default.to_string(), setting.meaning.to_owned()])
        .collect();
    assert_eq!(told, meant);
}
