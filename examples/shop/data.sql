-- The orders of the shop. Days are counted from the day on which the table is made.
CREATE TABLE orders (
  number TEXT PRIMARY KEY,
  state  TEXT NOT NULL CHECK (state IN ('new', 'sent', 'delivered', 'cancelled')),
  day    TEXT NOT NULL,               -- when it came into this state
  items  INTEGER NOT NULL,
  total  TEXT NOT NULL,               -- euros
  parcel TEXT NOT NULL DEFAULT ''     -- the carrier's number
);
INSERT INTO orders VALUES
  ('1001', 'new',       date('now'),            2, '49.90',  ''),
  ('1002', 'sent',      date('now', '-1 day'),  1, '19.00',  'P77001'),
  ('1003', 'sent',      date('now', '-2 days'), 5, '230.50', 'P77002'),
  ('1004', 'delivered', date('now', '-7 days'), 3, '75.25',  'P76310'),
  ('1005', 'cancelled', date('now', '-3 days'), 1, '12.00',  '');
