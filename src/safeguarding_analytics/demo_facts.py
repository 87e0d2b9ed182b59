"""What the synthetic board is made from: facts of the public documents, and what was invented around them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

FIRST_LINES = """\
# SYNTHETIC: written by `safeguarding demo`. No real person, child, staff return, answer or ballot is in this folder.
# Districts, dates, venues and totals follow the public Kent and Kirklees documents; areas and costs are invented,
# and so are the questionnaires: what was asked, before, after and at follow-up, and every answer."""
"""Top of the synthetic board.toml. The first line marks a folder as one that may be overwritten."""

SETTINGS = {
    "board.name": '"Kent-like demonstration board (synthetic)"',
    "board.authority": '"Kent"',
    "board.as_at": "2011-07-01",
    "training.target": "1200",
    "training.target_date": "2011-06-30",
    "training.together": '{ "Health and CFE" = ["Health", "Children, families and education"] }',
    "knowledge.meaningful_gain": "2.0",
    "evaluation.report_dates": "[2011-07-01, 2011-07-15]",
    "priorities.seats": "4",
    "priorities.weight": '"member"',
    "priorities.unranked": '"share"',
    "priorities.members": "32",
    "priorities.cut_urgency": "5.5",
    "priorities.cut_importance": "5.5",
    "priorities.resamples": "2000",
    "priorities.seed": "20150925",
    "child_protection.plans_from": "2003-04-01",
    "child_protection.plans_to": "2008-03-31",
    "comparators.published_documents": "true",
    "policy.children.preset": '"dfe"',
    "policy.staff.preset": '"dfe"',
    "policy.board_members.preset": '"dfe"',
}
"""Settings of the synthetic board.toml, as they are written."""


class Agency(NamedTuple):
    """What the synthetic board knows of an agency."""

    agency: str
    sector: str
    aliases: tuple[str, ...]  # the first is the short name that the questionnaires use
    places: int  # of every 1,000 places attended
    staff: int  # people who need level 2
    seats: int = 0  # on the board
    area: str = ""  # where most of its staff work; empty = the whole county


CFE = "Children, Families and Education"
NO_RETURN = "Voluntary and community groups"
"""The agency that made no workforce return."""

NOBODY_CAME = "Kent Fire and Rescue Service"
"""The agency that books and never comes."""

# The first five are health and CFE: 760 of 1,000 places.
AGENCIES = (
    Agency(CFE, "Children, families and education", ("CFE", "KCC CFE", "Children Families & Education"), 470, 3900, 5),
    Agency("Eastern and Coastal Kent PCT", "Health", ("ECKPCT", "EKPCT"), 120, 880, 3, "East"),
    Agency("West Kent PCT", "Health", ("WKPCT", "West Kent Primary Care Trust"), 85, 610, 2, "West"),
    Agency("Kent and Medway NHS Partnership", "Health", ("KMPT", "Kent & Medway NHS Partnership Trust"), 50, 290, 2),
    Agency("East Kent Hospitals", "Health", ("EKHUFT", "East Kent Hospitals Trust"), 35, 720, 2, "East"),
    Agency("Kent Police", "Police and justice", ("Police", "Kent Constabulary"), 42, 410, 3),
    Agency("Kent Probation", "Police and justice", ("Probation", "Kent Probation Area"), 15, 64, 1),
    Agency("Youth Offending Service", "Police and justice", ("YOS", "Youth Offending Team"), 15, 32, 1),
    Agency("Connexions", "Education and youth", ("CXK", "Connexions Kent"), 32, 95, 2),
    Agency("Academies and independent schools", "Education and youth", ("AIS", "Independent schools"), 25, 260, 2),
    Agency("Early years providers", "Education and youth", ("EYP", "Nurseries and childminders"), 52, 740),
    Agency("District council housing", "District councils", ("DCH", "District Councils"), 28, 130, 3),
    Agency("Adult social services", "Adult services", ("KASS", "Adult services"), 8, 170),
    Agency(NO_RETURN, "Voluntary sector", ("VCS", "Voluntary sector"), 14, 80, 2),
    Agency("Young carers project", "Voluntary sector", ("YCP",), 4, 6),
    Agency("CAFCASS", "Courts", ("Cafcass",), 3, 12, 1),
    Agency("Coroner's office", "Courts", ("Coroner",), 2, 4),
    Agency(NOBODY_CAME, "Fire and rescue", ("KFRS", "Fire service"), 0, 62, 1),
)


class Recording(NamedTuple):
    """What an agency writes down of its staff, and how recent their training was on 1 July 2011; all per cent."""

    kept: int  # of its eligible staff have a staff record; 0 = it keeps none
    current: int  # last level 2 course less than 33 months before; of new starters: trained within three months
    due: int  # 33 to 36 months before
    lapsed: int  # more than 36 months before; the rest never, as far as anybody wrote down
    aware: int  # took the e-learning on awareness


# Synthetic: the first needs analysis of Kirklees says only that records of training were lacking.
RECORDS = {
    CFE: Recording(0, 14, 4, 12, 20),
    "Eastern and Coastal Kent PCT": Recording(100, 48, 11, 27, 60),
    "West Kent PCT": Recording(100, 66, 6, 18, 70),
    "Kent and Medway NHS Partnership": Recording(100, 38, 9, 33, 45),
    "East Kent Hospitals": Recording(45, 50, 6, 24, 55),
    "Kent Police": Recording(100, 57, 8, 22, 50),
    "Kent Probation": Recording(100, 68, 9, 14, 60),
    "Youth Offending Service": Recording(100, 84, 6, 6, 80),
    "Connexions": Recording(100, 72, 8, 12, 70),
    "Academies and independent schools": Recording(25, 40, 8, 20, 30),
    "Early years providers": Recording(35, 45, 10, 20, 50),
    "District council housing": Recording(60, 35, 6, 25, 35),
    "Adult social services": Recording(30, 30, 5, 30, 40),
    NO_RETURN: Recording(0, 0, 0, 0, 0),
    "Young carers project": Recording(0, 0, 0, 0, 50),
    "CAFCASS": Recording(100, 75, 10, 10, 80),
    "Coroner's office": Recording(0, 0, 0, 0, 0),
    NOBODY_CAME: Recording(100, 22, 4, 30, 25),
}

# Course, level; named after the table of target groups of Kirklees.
AWARENESS = ("Awareness of Child Abuse and Neglect", 1)
WORKING_TOGETHER = ("Working Together", 2)
REFRESHER = ("Working Together refresher", 2)
CONFERENCES = ("Making Positive Contributions to Child Protection Conferences and Core Groups", 3)
ROLE_COURSES = {
    4: ("Single-agency training for the role", 3),
    5: ("Lessons from serious case reviews", 3),
    6: ("Managing Allegations against People who Work with Children", 4),
}
"""What those of a target group take besides."""

E_LEARNING_OPEN = (date(2008, 9, 1), date(2011, 6, 24))
LEVEL_2_DAYS = {
    "current": (date(2008, 10, 6), date(2011, 6, 24)),
    "due": (date(2008, 7, 7), date(2008, 9, 30)),
    "lapsed": (date(2006, 1, 9), date(2008, 6, 27)),
}
"""When the last level 2 course was, if it is to be refreshed within 36 months."""

LEVEL_3_DAYS = {
    "current": (date(2010, 10, 4), date(2011, 6, 24)),
    "due": (date(2010, 7, 5), date(2010, 9, 30)),
    "lapsed": (date(2007, 1, 8), date(2010, 6, 25)),
}
"""When the last course of `ROLE_COURSES` was, if there is to be one within 12 months."""

NEW_STARTERS = (date(2010, 7, 2), date(2011, 6, 29))
START_WEIGHTS = {
    (date(1985, 1, 7), date(1994, 12, 30)): 8,
    (date(1995, 1, 2), date(2004, 12, 31)): 30,
    (date(2005, 1, 3), date(2010, 6, 30)): 50,
    NEW_STARTERS: 12,
}
"""When staff started."""

INDUCTION_DAYS = {"in time": (7, 85), "late": (100, 240)}
"""Days from the start to the training of new starters."""

LEAVERS = 3
"""Of 100 staff on record, so many more have left in the last year."""

LEAVING_DAYS = (date(2010, 7, 5), date(2011, 6, 29))
NOTICE_DAYS = (date(2011, 7, 4), date(2011, 9, 30))
"""When those leave who are still there on 1 July 2011 but have given notice."""


class District(NamedTuple):
    """A district, its day of workshops (published) and what is invented about it."""

    district: str
    date: date
    venue: str
    area: str  # synthetic: the workshop plan assigns no district to an area
    cost: float | None  # synthetic: £ a session; 0 = in kind, None = not known
    plans: int  # synthetic: of every 100 plans


DISTRICTS = (
    District("Tunbridge Wells", date(2011, 5, 10), "Salomon's, Science Theater", "West", 520.0, 2),
    District("Dover", date(2011, 5, 11), "Ark Christian Centre", "East", 240.0, 9),
    District("Shepway", date(2011, 5, 13), "Folkestone Racecourse, Medway Room", "East", 460.0, 10),
    District("Dartford", date(2011, 5, 17), "David Lloyd Centre", "West", 380.0, 7),
    District("Gravesham", date(2011, 5, 18), "Council Chamber, Gravesham Borough Council", "West", 0.0, 9),
    District("Ashford", date(2011, 5, 24), "Ashford Enterprise Centre", "Mid", 310.0, 9),
    District("Sevenoaks", date(2011, 6, 7), "Swanley Banqueting, Woodlands, Walnut Lounge", "West", 430.0, 4),
    District("Thanet", date(2011, 6, 10), "Canterbury Christchurch, Broadstairs", "East", 290.0, 16),
    District("Swale", date(2011, 6, 16), "Brogdale Farm", "Mid", 350.0, 13),
    District("Maidstone", date(2011, 6, 20), "New Line Learning Academy", "Mid", 0.0, 9),
    District("Canterbury", date(2011, 6, 21), "Darwin College", "East", 400.0, 8),
    District("Tonbridge & Malling", date(2011, 6, 28), "Riverside Lounge, The Angel Centre", "Mid", None, 4),
)
AS_AT = date(2011, 7, 1)
CAPACITY = 50
OVER_FILLED = "S19"
NO_GAIN = "Swale"
"""The district whose workshops taught next to nothing."""


class Item(NamedTuple):
    """A question worth 0 points (wrong), 1 (partly right) or 2 (right)."""

    text: str
    known: float  # average share of its points before the workshop
    learned: float  # average rise of that share


ITEMS = (
    Item("A child has no need beyond what every service meets. Which tier is this?", 0.78, 0.05),
    Item("A child needs targeted help for a few months, and the parents agree. Which tier is this?", 0.62, 0.15),
    Item("Several tier 2 signs come together and early help has changed nothing. Which tier is this?", 0.48, 0.04),
    Item("A single grave sign that a child is being harmed is seen. Which tier is this?", 0.70, 0.09),
    Item("What must be obtained before a common assessment is begun?", 0.60, 0.15),
    Item("Whose agreement does the referral of a child in need require?", 0.54, 0.15),
    Item("A child may be in danger now. Does the referral wait for the parents to agree?", 0.58, 0.12),
    Item("How soon should the referrer hear that the referral has arrived?", 0.45, 0.18),
    Item("How many working days are allowed for an initial assessment?", 0.37, 0.21),
    Item("How long may it be at most between two reviews of a child in need plan?", 0.40, 0.18),
)


class Rating(NamedTuple):
    """A statement about oneself, rated on `SCALE`."""

    text: str
    before: float  # average before the workshop; of a reversed one, after turning it round
    rise: float  # average rise of that
    reversed: bool = False  # whether a high rating is given by those who are not sure


SCALE = (1, 5)
RATINGS = (
    Rating("I am confident that I can tell which tier a family's needs fall into.", 2.9, 0.6),
    Rating("I know what I may tell other agencies about a family, and when I must ask the family first.", 3.1, 0.5),
    Rating("I often do not know whom to ring when I am worried about a child.", 3.3, 0.4, True),
)

LOOKING_BACK = 0.4
"""So much lower people rate, afterwards, how sure they were before."""

FOLLOW_UP_AFTER = timedelta(weeks=6)
"""From a workshop to its follow-up, at least."""

KEPT = 0.6
"""Share of what was learned, and of the rise of the ratings, that is left by then."""

# Issue, description, average appeal. The four with capital letters throughout are the published priorities.
ISSUES = (
    ("Bullying", "In school, in the street and online", 0.45),
    ("Child Sexual Exploitation", "Prevention, disruption and support", 2.45),
    ("Children with disabilities", "Recognising abuse behind a disability", 0.60),
    ("Domestic abuse", "Children who live with it", 1.70),
    ("Early Intervention and Prevention", "Help before harm", 2.00),
    ("Female genital mutilation", "Girls at risk, reporting and survivors", 0.70),
    ("Forced marriage", "Young people at risk and under protection orders", 0.20),
    ("Missing Children", "From home, from care and from education", 1.80),
    ("Neglect", "Recognising it early and not letting it drift", 2.70),
    ("Online safety", "Grooming, images and gambling", 0.95),
    ("Parental mental health", "Think-family work with adult services", 0.80),
    ("Parental substance misuse", "Hidden harm", 0.85),
    ("Private fostering", "Finding arrangements nobody has reported", -0.30),
    ("Radicalisation", "Referral and support under Prevent", 0.35),
    ("Self-harm and suicide", "Pathways out of hospital and school", 1.10),
)

BOARDS = ("Safeguarding Children Board", "Safeguarding Adults Board", "Community Safety Partnership")

# Theme, average urgency, average importance.
THEMES = (
    ("Child sexual exploitation", 8, 9),
    ("Human trafficking", 5, 7),
    ("Female genital mutilation", 9, 8),
    ("Forced marriage", 5, 6),
    ("Domestic abuse, including domestic homicide reviews", 6, 9),
    ("Gangs", 5, 4),
    ("Restorative justice", 3, 4),
    ("Prevent", 7, 5),
)
LEADS = {
    "Child sexual exploitation": (0, (2,)),
    "Human trafficking": (2, (0, 1)),
    "Female genital mutilation": (0, (1, 2)),
    "Forced marriage": (1, (0,)),
    "Domestic abuse, including domestic homicide reviews": (2, (0, 1)),
    "Gangs": (2, (0,)),
    "Restorative justice": (2, ()),
    "Prevent": (2, (0, 1)),
}
"""By theme, which of the boards leads on it, and which are to be linked in."""

CATEGORY_WEIGHTS = {"NEG": 46, "EMO": 34, "PHY": 11, "SAB": 6, "MUL": 3}
LENGTH_WEIGHTS = {(30, 90): 12, (91, 365): 56, (366, 720): 27, (735, 1400): 5}
"""How long plans last, in days."""

AGE_WEIGHTS = {(-120, -1): 2, (0, 364): 11, (366, 1825): 29, (1827, 3650): 29, (3653, 5840): 26, (5846, 6500): 3}
"""How old children are when a first plan starts, in days; below 0 = not born yet."""

WAIT_WEIGHTS = {(1, 10): 47, (11, 15): 30, (16, 20): 11, (21, 45): 8, (-12, -1): 1, (0, 0): 3}
"""Weekdays from a section 47 enquiry to its conference; below 0 = recorded after it, (0, 0) = none recorded."""

ENQUIRIES_WITHOUT_CONFERENCE = 640

PLANS_FROM, PLANS_TO = date(2003, 4, 1), date(2008, 3, 31)
"""The plans are those of the register as it stood on the last of these days, complete from the first on."""

OPEN_BEFORE = 700
"""Plans that had started before the first day and were still open then."""


class PlanYear(NamedTuple):
    """A reporting year of the register: plans that start, second or subsequent ones, ends, and children who return.

    Published: starts and ends of 2006/07 and 2007/08 (972 and 860, 920 and 813), and that 19.2% of the 920 were second
    or subsequent, of which 177 is the only whole number. The rest is invented.
    """

    year: int
    starts: int
    repeats: int
    ends: int
    returning: int

    @property
    def first(self) -> date:
        """1 April."""
        return date(self.year - 1, 4, 1)

    @property
    def last(self) -> date:
        """31 March."""
        return date(self.year, 3, 31)


PLAN_YEARS = (
    PlanYear(2004, 800, 120, 790, 30),
    PlanYear(2005, 840, 143, 820, 62),
    PlanYear(2006, 880, 158, 858, 84),
    PlanYear(2007, 972, 190, 860, 104),
    PlanYear(2008, 920, 177, 813, 108),
)

POPULATION = ((2002, 308_900), (2003, 309_200), (2004, 309_500), (2005, 309_800), (2006, 310_100), (2007, 309_677))
"""Children of Kent at mid-year. 2006 and 2007: near what the printed rates imply; the others are invented."""
