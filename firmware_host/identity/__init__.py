"""Who is walking: enrolment of one wearer, and verification against it."""
