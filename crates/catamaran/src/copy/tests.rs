use futures_util::{FutureExt as _, StreamExt as _};
use postgres_types::{ToSql, Type};

use super::*;
use crate::{Iter, Row};

fn description() -> Description {
    let columns =
        vec![Column::new("id", Type::INT8), Column::new("name", Type::TEXT), Column::new("tags", Type::INT4_ARRAY)];
    Description::new(Vec::new(), columns)
}

type Person = (i64, Option<String>, Vec<i32>);

fn people(count: i64) -> Vec<Person> {
    (0..count).map(|id| (id, (id % 3 != 0).then(|| "n".repeat(id as usize % 50)), vec![1; id as usize % 4])).collect()
}

fn encode<R: CopyRow>(rows: impl IntoIterator<Item = R, IntoIter: Send>) -> Result<Vec<Bytes>> {
    encoded(description(), rows.into_iter().map(Ok), &mut BulkOptions::new())?.collect()
}

fn decode(chunks: Vec<Bytes>) -> Result<Vec<Row>> {
    decoded(description(), Iter::new(chunks.into_iter().map(Ok))).collect()
}

fn as_people(rows: &[Row]) -> Vec<Person> {
    rows.iter().map(|row| crate::FromRow::from_row(row).unwrap()).collect()
}

fn data(rows: i64) -> Vec<u8> {
    encode(people(rows)).unwrap().concat()
}

fn in_chunks_of(data: &[u8], length: usize) -> Vec<Bytes> {
    data.chunks(length).map(Bytes::copy_from_slice).collect()
}

#[test]
fn the_format_is_the_documented_one() {
    let columns = vec![Column::new("id", Type::INT8), Column::new("name", Type::TEXT)];
    let rows = [(7i64, Some("é")), (8, None)].into_iter().map(Ok);
    let chunks: Vec<Bytes> = encoded(Description::new(vec![], columns), rows, &mut BulkOptions::new())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut expected = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    expected.extend(b"\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0\0\x02\xc3\xa9");
    expected.extend(b"\0\x02\0\0\0\x08\0\0\0\0\0\0\0\x08\xff\xff\xff\xff");
    expected.extend(b"\xff\xff");
    assert_eq!(chunks, [expected]);
}

#[test]
fn rows_come_back_whatever_the_chunks() {
    let people = people(40);
    let data = data(40);
    for length in [1, 2, 3, 7, 64, 1000, data.len()] {
        assert_eq!(as_people(&decode(in_chunks_of(&data, length)).unwrap()), people, "chunks of {length}");
    }
    assert!(decode(encode(Vec::<Person>::new()).unwrap()).unwrap().is_empty());
}

#[test]
fn both_twins_do_the_same() {
    let rows = || people(5000).into_iter().map(Ok);
    let blocking: Vec<Bytes> =
        encoded(description(), rows(), &mut BulkOptions::new()).unwrap().map(Result::unwrap).collect();
    let mut options = BulkOptions::new();
    let stream = encoded_stream(description(), stream::iter(rows()), &mut options).unwrap();
    let awaited: Vec<Bytes> = stream.map(Result::unwrap).collect().now_or_never().unwrap();
    assert_eq!(blocking, awaited);
    assert!(blocking.len() > 1 && blocking.iter().all(|chunk| chunk.len() < 2 * 64 * 1024));

    let chunks = AsyncIter::new(stream::iter(awaited.into_iter().map(Ok)));
    let rows: Vec<Row> = decoded_stream(description(), chunks).map(Result::unwrap).collect().now_or_never().unwrap();
    assert_eq!(as_people(&rows), people(5000));
}

#[test]
fn rows_of_every_shape() {
    let id: &(dyn ToSql + Sync) = &1i64;
    let refs: [&(dyn ToSql + Sync); 3] = [id, &"a", &vec![1i32]];
    let boxes: Vec<Box<dyn ToSql + Sync + Send>> = vec![Box::new(1i64), Box::new("a"), Box::new(vec![1i32])];
    let expected = encode([(1i64, "a", vec![1i32])]).unwrap();
    assert_eq!(encode([&(1i64, "a", vec![1i32])]).unwrap(), expected);
    assert_eq!(encode([refs]).unwrap(), expected);
    assert_eq!(encode([&refs[..]]).unwrap(), expected);
    assert_eq!(encode([boxes]).unwrap(), expected);
    let longest = (0i32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15i32);
    assert_eq!((longest.fields(), longest.field(15).is_some(), longest.field(16).is_some()), (16, true, false));
}

#[test]
fn what_does_not_fit_is_named() {
    let error = encode([(1i64, 2i64, vec![0i32])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(
        error.to_string(),
        "row 1: a value can't be sent to column \"name\" of type text: \
         cannot convert between the Rust type `i64` and the Postgres type `text`",
    );
    let error = encode([(1i64, "hunter2")]).unwrap_err();
    assert_eq!(error.to_string(), "row 1 has 2 fields for 3 columns");
    // The error ends the data, without a trailer that would make the COPY succeed.
    let rows = [vec![1i64], vec![]].into_iter().map(Ok);
    let columns = vec![Column::new("id", Type::INT8)];
    let items: Vec<_> = encoded(Description::new(vec![], columns), rows, &mut BulkOptions::new()).unwrap().collect();
    assert!(matches!(&items[..], [Err(error)] if error.to_string() == "row 2 has 0 fields for 1 columns"));
}

#[test]
fn an_error_among_the_rows_is_the_error() {
    let failed = Error::new(ErrorKind::NoRows, "source");
    let rows = [Ok((1i64, "a", vec![1i32])), Err(failed)];
    let items: Vec<_> = encoded(description(), rows.into_iter(), &mut BulkOptions::new()).unwrap().collect();
    assert!(matches!(&items[..], [Err(error)] if error.kind() == ErrorKind::NoRows));
}

#[test]
fn malformed_data_is_an_error() {
    let whole = data(3);
    let with = |at: usize, bytes: &[u8]| {
        let mut data = whole.clone();
        data.splice(at..at + bytes.len(), bytes.iter().copied());
        decode(vec![data.into()]).unwrap_err().to_string()
    };
    let text = |what| format!("the COPY data is malformed: {what}");
    assert_eq!(with(0, b"X"), text("it does not begin as binary COPY data does"));
    assert_eq!(with(11, &[0, 1, 0, 0]), text("it has flags that are not known"));
    assert_eq!(with(15, &[0xff; 4]), text("its header has a negative length"));
    assert_eq!(with(15, &[0x7f; 4]), text("it ends in the middle"));
    assert_eq!(with(19, &[0, 4]), text("it has a row of 4 fields for 3 columns"));
    assert_eq!(with(19, &[0xff, 0xfe]), text("it has a row of -2 fields for 3 columns"));
    assert_eq!(with(19, &[0xff, 0xff]), text("more data behind the last row"));
    assert_eq!(with(21, &[0xff, 0xff, 0xff, 0xfe]), text("it has a value of an impossible length"));
    assert_eq!(with(21, &[0x7f, 0xff, 0xff, 0xff]), text("it has a value of an impossible length"));
    assert_eq!(with(21, &[0x3f, 0xff, 0xff, 0xff]), text("it ends in the middle"));
    let behind = vec![whole.clone().into(), Bytes::new(), Bytes::from_static(b"x")];
    assert_eq!(decode(behind).unwrap_err().to_string(), text("more data behind the last row"));
    for length in 0..whole.len() {
        assert!(decode(in_chunks_of(&whole[..length], 11)).is_err(), "cut at {length}");
    }
}

#[test]
fn an_extension_of_the_header_is_passed_over() {
    let mut data = data(2);
    data.splice(15..19, [0, 0, 0, 3, b'a', b'b', b'c']);
    assert_eq!(as_people(&decode(in_chunks_of(&data, 5)).unwrap()), people(2));
}

#[test]
fn no_data_makes_it_panic() {
    let whole = data(8);
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..5000 {
        let mut data = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..data.len());
            data[at] = random.u8(..);
        }
        let _ = decode(in_chunks_of(&data, random.usize(1..200)));
    }
}

#[test]
fn names_are_quoted() {
    let (types, copy) = in_sql("billing.invoices", &["id", "we\"ird"]).unwrap();
    assert_eq!(types, "SELECT \"id\", \"we\"\"ird\" FROM billing.invoices");
    assert_eq!(copy, "COPY billing.invoices (\"id\", \"we\"\"ird\") FROM STDIN (FORMAT binary)");
    assert!(in_sql("t", &[]).is_err());
    assert_eq!(out_sql("SELECT 1 -- one"), "COPY (SELECT 1 -- one\n) TO STDOUT (FORMAT binary)");
}
