//! The RSA key that RFC 7515 publishes as an example (appendix A.2): a key that is no secret, so that tests need none.

#![allow(dead_code, reason = "each test program uses its part")]

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL\
    -yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WT\
    BEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW\
    9gb54h4FRWyuXpoQ";
const EXPONENT: &str = "AQAB";
/// The private exponent, the primes, and what follows from them, in the order in which a key holds them.
const PRIVATE: [&str; 6] = [
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ\
     1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4\
     ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopzn\
     Q",
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmn\
     PGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-Tn\
     BA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2z\
     b34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-k\
     yNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPL\
     UW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
];

/// As GitHub gives a key.
pub fn pkcs1() -> String {
    pem("RSA PRIVATE KEY", &pkcs1_der())
}

/// As most other tools do.
pub fn pkcs8() -> String {
    // rsaEncryption, with no parameters.
    let algorithm = der(0x30, &[&[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0]]);
    pem("PRIVATE KEY", &der(0x30, &[&[0x02, 1, 0], &algorithm, &der(0x04, &[&pkcs1_der()])]))
}

/// The public half, as verifying takes it.
pub fn public() -> Vec<u8> {
    der(0x30, &[&integer(MODULUS), &integer(EXPONENT)])
}

fn pkcs1_der() -> Vec<u8> {
    let numbers = [MODULUS, EXPONENT].into_iter().chain(PRIVATE).map(integer).collect::<Vec<_>>().concat();
    der(0x30, &[&[0x02, 1, 0], &numbers])
}

fn integer(number: &str) -> Vec<u8> {
    let bytes = URL_SAFE_NO_PAD.decode(number).expect("the RFC encodes numbers so");
    // A first bit that is set would make it negative.
    let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
    der(0x02, &[sign, &bytes])
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().position(|byte| *byte != 0).expect("nothing here is empty")..];
    let long = [0x80 + length.len() as u8];
    let long: &[u8] = if content.len() < 0x80 { &[] } else { &long };
    [&[tag], long, length, &content].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
