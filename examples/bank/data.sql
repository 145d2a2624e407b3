-- The accounts of the bank. A real one would not keep PINs in the open: let a service of yours check them instead.
CREATE TABLE accounts (
  number   TEXT PRIMARY KEY,
  pin      TEXT NOT NULL,
  currency TEXT NOT NULL,
  balance  TEXT NOT NULL,
  paid     TEXT NOT NULL,             -- the last payment, with its currency
  paid_on  TEXT NOT NULL
);
INSERT INTO accounts VALUES
  ('10010', '4711', 'EUR', '1234.56',  '20.00 EUR',  date('now', '-3 days')),
  ('10020', '0815', 'RUB', '21521.05', '2000 RUB',   date('now', '-1 day')),
  ('10030', '1234', 'TRY', '-150',     '999.90 TRY', date('now', '-9 days'));
