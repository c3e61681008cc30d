# SPDX-License-Identifier: Apache-2.0
"""A second production to lose: a plain PostgreSQL and web application, Kinto, as users have it."""
