//! The tables as diesel's DSL knows them.

diesel::table! {
    accounts (id) {
        id -> Int8,
        name -> Text,
        email -> Text,
        created -> Timestamptz,
        score -> Float8,
        active -> Bool,
        visits -> Int4,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    items (id) {
        id -> Int8,
        name -> Text,
        label -> Text,
        value -> Float8,
        created -> Timestamptz,
    }
}

diesel::table! {
    imports (id) {
        id -> Int8,
        name -> Text,
        label -> Text,
        value -> Float8,
        created -> Timestamptz,
    }
}

diesel::table! {
    events (id) {
        id -> Int8,
        account_id -> Int8,
        kind -> Text,
        amount -> Float8,
        at -> Timestamptz,
    }
}
