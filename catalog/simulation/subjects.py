"""What the simulated courses are about: 12 fields of 5 subjects, and the ways that learners go through them."""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """What one topic's courses are about.

    Attributes:
        field: name of the topic above.
        topic: name of the topic.
        title: what the courses' titles call it.
        skills: three, the most basic first.
        angles: what the titles of its special courses end with, the easiest first.
    """

    field: str
    topic: str
    title: str
    skills: tuple[str, str, str]
    angles: tuple[str, str, str]


_FIELDS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "Programming": (
        ("Python", "Python", "Python|Functions|Testing", "for Complete Newcomers|for Data Analysis|for Services"),
        ("JavaScript", "JavaScript", "JavaScript|Closures|Promises", "in the Browser|for Interfaces|on the Server"),
        ("Java", "Java", "Java|Classes|Concurrency", "for School Leavers|for Web Services|for Large Systems"),
        ("Databases", "SQL", "SQL|Joins|Query plans", "for Spreadsheet Users|for Reporting|for Data Engineers"),
        ("Algorithms", "Algorithms", "Complexity|Graphs|Recursion", "in Pictures|for Interviews|for Competitions"),
    ),
    "Data Science": (
        ("Statistics", "Statistics", "Averages|Regression|Sampling", "for the Curious|for Experiments|for Forecasts"),
        (
            "Machine Learning",
            "Machine Learning",
            "Classification|Boosting|Validation",
            "without Fear|for Tables|at Scale",
        ),
        ("Deep Learning", "Neural Networks", "Tensors|Training|Attention", "Explained|for Images|for Language"),
        ("Visualization", "Data Visualization", "Charts|Color|Dashboards", "for Everyone|for Analysts|for the Web"),
        ("Data Engineering", "Data Pipelines", "Batch jobs|Streams|Modeling", "at a Glance|for Analysts|for Lakes"),
    ),
    "Cloud & Operations": (
        ("Linux", "Linux", "Shell|Processes|Permissions", "for Desktop Users|for Administrators|for Performance"),
        ("Containers", "Docker", "Images|Networks|Registries", "on a Laptop|for Web Developers|for Build Systems"),
        ("Orchestration", "Kubernetes", "Pods|Rollouts|Operators", "at a Glance|for Developers|for Platform Teams"),
        ("Networks", "Networking", "Addresses|Routing|Firewalls", "at Home|for Administrators|for Data Centers"),
        ("Security", "Cybersecurity", "Threats|Hardening|Forensics", "for Everyone|for Developers|for Responders"),
    ),
    "Business": (
        ("Spreadsheets", "Excel", "Formulas|Pivot tables|Macros", "for the Office|for Accounting|for Financial Models"),
        (
            "Project Management",
            "Scrum",
            "Backlogs|Estimates|Facilitation",
            "in a Day|for Product Owners|for Many Teams",
        ),
        ("Finance", "Corporate Finance", "Statements|Valuation|Risk", "for Managers|for Analysts|for Acquisitions"),
        (
            "Entrepreneurship",
            "Founding a Company",
            "Ideas|Pitching|Funding",
            "on the Side|with a Team|to the First Sale",
        ),
        ("Leadership", "Leadership", "Feedback|Delegation|Strategy", "for New Managers|in Remote Teams|in Hard Times"),
    ),
    "Marketing": (
        ("Social Media", "Social Media", "Posts|Communities|Campaigns", "for Small Shops|for Brands|with Paid Reach"),
        ("Search", "SEO", "Keywords|Links|Audits", "for Bloggers|for Online Shops|for Large Sites"),
        ("Content", "Content Marketing", "Copywriting|Newsletters|Planning", "for Makers|for Software|across Channels"),
        (
            "Analytics",
            "Marketing Analytics",
            "Funnels|Attribution|Cohorts",
            "at a Glance|for Campaigns|with Experiments",
        ),
        ("Branding", "Branding", "Naming|Voice|Positioning", "for Freelancers|for Start-ups|for a New Beginning"),
    ),
    "Design": (
        ("Web Design", "Web Design", "HTML|CSS|Layout", "without Code|for Phones|for Accessibility"),
        ("Graphic Design", "Graphic Design", "Typography|Composition|Print", "for Posters|for Brands|for Books"),
        ("User Experience", "User Experience", "Interviews|Wireframes|Usability", "at a Glance|for Apps|for Research"),
        ("Image Editing", "Photoshop", "Layers|Masks|Retouching", "for Snapshots|for Portraits|for Compositing"),
        ("3D", "Blender", "Meshes|Materials|Animation", "for First Scenes|for Games|for Short Films"),
    ),
    "Languages": (
        ("English", "English", "Small talk|Grammar|Writing", "for Travel|for Meetings|for Academic Papers"),
        ("Spanish", "Spanish", "Pronunciation|Verbs|Conversation", "for Travel|for Work|for Literature"),
        ("German", "German", "Cases|Verbs|Reading", "for Travel|for Work|for University"),
        ("French", "French", "Pronunciation|Verbs|Listening", "for Travel|for Work|for Cinema"),
        ("Japanese", "Japanese", "Kana|Particles|Kanji", "for Travel|for Comics|for Work"),
    ),
    "Music": (
        ("Guitar", "Guitar", "Chords|Strumming|Fingerpicking", "for Campfires|for Blues|for Classical Pieces"),
        ("Piano", "Piano", "Scales|Sight-reading|Improvisation", "for Grown-ups|for Pop Songs|for Jazz"),
        ("Singing", "Singing", "Breathing|Pitch|Resonance", "for Shy People|for Choirs|for the Stage"),
        ("Production", "Music Production", "Recording|Mixing|Mastering", "on a Laptop|for Songs|for Dance Floors"),
        ("Theory", "Music Theory", "Intervals|Harmony|Counterpoint", "by Ear|for Songwriters|for Composers"),
    ),
    "Photography": (
        ("Cameras", "Photography", "Exposure|Focus|Light", "with a Phone|with One Lens|with Film"),
        ("Portraits", "Portrait Photography", "Posing|Flash|Direction", "at Home|in the Studio|for Magazines"),
        ("Landscapes", "Landscape Photography", "Filters|Weather|Panoramas", "near Home|at Night|in the Mountains"),
        ("Video", "Video Editing", "Cutting|Sound|Color grading", "on a Phone|for Channels|for Documentaries"),
        ("Light", "Studio Lighting", "Softboxes|Reflectors|Gels", "on a Budget|for Products|for Fashion"),
    ),
    "Health & Fitness": (
        ("Yoga", "Yoga", "Breathing|Balance|Flexibility", "at the Desk|for Runners|for Teachers"),
        ("Running", "Running", "Technique|Intervals|Recovery", "from the Couch|for Ten Kilometers|for a Marathon"),
        ("Nutrition", "Nutrition", "Labels|Planning|Metabolism", "for Families|for Athletes|for Coaches"),
        ("Meditation", "Meditation", "Attention|Habit|Compassion", "in Ten Minutes|for Better Sleep|in Silence"),
        (
            "Strength",
            "Strength Training",
            "Squats|Programming|Mobility",
            "without Weights|with Barbells|for Competitions",
        ),
    ),
    "Crafts & Home": (
        ("Cooking", "Cooking", "Knife skills|Sauces|Timing", "for Students|without Meat|like in a Restaurant"),
        ("Baking", "Baking", "Dough|Fermentation|Shaping", "with Children|of Sourdough|of Pastry"),
        ("Gardening", "Gardening", "Soil|Pruning|Seasons", "on a Balcony|of Vegetables|of Fruit Trees"),
        ("Drawing", "Drawing", "Lines|Perspective|Shading", "for Non-Artists|of People|for Illustrators"),
        ("Woodworking", "Woodworking", "Measuring|Joinery|Finishing", "by Hand|of Shelves|of Chairs"),
    ),
    "Personal Growth": (
        ("Productivity", "Time Management", "Priorities|Focus|Reviews", "for Students|for Parents|for Executives"),
        ("Speaking", "Public Speaking", "Structure|Voice|Stories", "for Shy People|for Engineers|for Large Rooms"),
        ("Writing", "Creative Writing", "Scenes|Dialogue|Revision", "in Ten Minutes|of Short Stories|of a Novel"),
        ("Learning", "Learning to Learn", "Memory|Notes|Practice", "for Pupils|for Adults|for Exams"),
        ("Negotiation", "Negotiation", "Listening|Offers|Anchoring", "in Everyday Life|for Buyers|for Diplomats"),
    ),
}

# Topics in the order that many learners take them up, whatever their fields are.
PATHS: tuple[tuple[str, ...], ...] = (
    ("Python", "Databases", "Statistics", "Machine Learning", "Deep Learning"),
    ("Spreadsheets", "Databases", "Visualization", "Statistics", "Analytics"),
    ("Web Design", "JavaScript", "Databases", "Containers", "Orchestration"),
    ("Java", "Algorithms", "Databases", "Data Engineering", "Orchestration"),
    ("Linux", "Networks", "Security", "Containers", "Orchestration"),
    ("Graphic Design", "Image Editing", "Branding", "Web Design", "User Experience"),
    ("Entrepreneurship", "Social Media", "Search", "Content", "Finance"),
    ("Project Management", "Leadership", "Speaking", "Negotiation", "Finance"),
    ("Cameras", "Image Editing", "Portraits", "Light", "Video"),
    ("Guitar", "Theory", "Singing", "Production", "Piano"),
    ("Running", "Strength", "Nutrition", "Yoga", "Meditation"),
    ("English", "Spanish", "French", "German", "Japanese"),
    ("Cooking", "Baking", "Gardening", "Woodworking", "Drawing"),
    ("Learning", "Productivity", "Writing", "Speaking", "Content"),
    ("Drawing", "3D", "Video", "Landscapes", "Social Media"),
)

# Subjects with one name in every language, which are taught in all four.
INTERNATIONAL = (
    "Python",
    "JavaScript",
    "Java",
    "SQL",
    "Linux",
    "Docker",
    "Kubernetes",
    "Excel",
    "Scrum",
    "SEO",
    "Photoshop",
    "Blender",
    "Yoga",
)


def subjects() -> tuple[Subject, ...]:
    """Return all subjects, field by field."""
    return tuple(
        Subject(field, topic, title, _three(skills), _three(angles))
        for field, rows in _FIELDS.items()
        for topic, title, skills, angles in rows
    )


def _three(text: str) -> tuple[str, str, str]:
    first, second, third = text.split("|")
    return first, second, third
